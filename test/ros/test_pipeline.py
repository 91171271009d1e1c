"""The whole chain in real processes: topics for other nodes, viewers, and sleep when nobody listens."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from picam_webrtc.camera.code import read_code
from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.topics.messages import frame_from_message, stamp_of
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.ros.support import leaps, on_spin_thread, running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = pytest.mark.ros

PARAMETERS: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0, "idle_timeout": 0.5}
STOP_WITHIN_S = 2.0
FRAMES_IN_10_S = 300
WARM_UP_FRAMES = 15
"""While the first ones pass, libraries are still being loaded and memory taken up; the newest frame wins then too."""
DEBUG_LOGS = ("--log-level", "debug", "--log-level", "rcl:=warn", "--log-level", "rmw_fastrtps_cpp:=warn")


class Pipeline:
    def __init__(self, camera: NodeProcess, inference: NodeProcess, webrtc: NodeProcess) -> None:
        self.camera, self.inference, self.webrtc = camera, inference, webrtc
        self.url = webrtc.wait_for_line(r"The page is at (http://\S+)")[1]


@contextmanager
def three_processes() -> Iterator[Pipeline]:
    with ExitStack() as stack:
        names = ("camera_node", "inference_node", "webrtc_node")
        processes = [stack.enter_context(node_process(name, PARAMETERS, *DEBUG_LOGS)) for name in names]
        yield Pipeline(*processes)


@contextmanager
def one_process() -> Iterator[Pipeline]:
    with node_process("picam_webrtc", PARAMETERS, *DEBUG_LOGS) as process:
        yield Pipeline(process, process, process)


@pytest.fixture(params=[three_processes, one_process])
def pipeline(request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    with request.param() as running:
        yield running


class Listener:
    """A plain subscriber of another process: what it got, by stamp."""

    def __init__(self, node: Node, reliability: ReliabilityPolicy) -> None:
        qos = QoSProfile(depth=10, reliability=reliability)
        self.frame_numbers: dict[str, list[int]] = {"image_raw": [], "image_processed": []}
        self.stamps: dict[str, list[int]] = {"image_raw": [], "image_processed": [], "camera_info": []}
        for topic in self.frame_numbers:
            node.create_subscription(Image, topic, lambda message, topic=topic: self._take(topic, message), qos)
        node.create_subscription(
            CameraInfo,
            "camera_info",
            lambda message: self.stamps["camera_info"].append(stamp_of(message.header.stamp)),
            qos,
        )

    def clear(self) -> None:
        for taken in (*self.frame_numbers.values(), *self.stamps.values()):
            taken.clear()

    def _take(self, topic: str, message: Image) -> None:
        code = read_code(frame_from_message(message).pixels)
        assert code is not None
        self.stamps[topic].append(stamp_of(message.header.stamp))
        self.frame_numbers[topic].append(code.frame_number)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "reliability", [ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE], ids=lambda r: r.name
)
def test_an_outside_subscriber_gets_every_720p_frame_of_both_topics_with_equal_stamps(
    pipeline: Pipeline, reliability: ReliabilityPolicy
) -> None:
    with running_node("listener") as (runtime, node):
        listener = Listener(node, reliability)
        runtime.spin()
        wait_until(lambda: len(listener.stamps["image_processed"]) >= WARM_UP_FRAMES, "the first frames")
        on_spin_thread(runtime, listener.clear)
        wait_until(lambda: len(listener.stamps["image_processed"]) >= FRAMES_IN_10_S, "300 frames", timeout_s=20)

    for topic, numbers in listener.frame_numbers.items():
        assert leaps(numbers) == [], f"frames of {topic} are missing"
    raw, processed = listener.stamps["image_raw"], listener.stamps["image_processed"]
    assert within(raw, processed) <= set(raw)
    assert within(raw, listener.stamps["camera_info"]) <= set(raw)
    seconds = (processed[-1] - processed[0]) / 1e9
    assert (len(processed) - 1) / seconds == pytest.approx(30, abs=0.5)


def within(stamps: list[int], others: list[int]) -> set[int]:
    """Those of `others` in the time that `stamps` cover: topics begin and end at slightly different moments."""
    return {stamp for stamp in others if stamps[0] <= stamp <= stamps[-1]}


def positions(lines: list[str], patterns: list[str]) -> list[int]:
    """The line of each pattern, searched one after the other; fails where one is missing or out of order."""
    found: list[int] = []
    for pattern in patterns:
        start = found[-1] + 1 if found else 0
        index = next((i for i in range(start, len(lines)) if re.search(pattern, lines[i])), None)
        assert index is not None, f"{pattern!r} not after line {start} of:\n" + "\n".join(lines)
        found.append(index)
    return found


UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PEER = rf"PeerConnection\({UUID}\)"
FIRST_VIEWER = [
    r"INFO.*Received WebRTC request",
    rf"INFO.*Created new PeerConnection with id: {PEER}",
    r"INFO.*PiCameraTrack initialized with transform: none",
    r"INFO.*Subscribing a new track to the relay",
    r"INFO.*Subscription successful",
    rf"DEBUG.*Added subscribed PiCameraTrack to PeerConnection: {PEER}",
    rf"DEBUG.*Created and set local description for PeerConnection: {PEER}",
    rf"INFO.*Returning offer for PeerConnection: {PEER}",
    rf"INFO.*Connection state for {PEER} is connected",
]
LEAVING = [
    rf"INFO.*Connection state for {PEER} is closed",
    rf"INFO.*Connection {PEER} closed\. Removing from pcs\.",
]


async def test_the_life_of_two_connections_is_logged_and_the_second_shares_the_firsts_track(pipeline: Pipeline) -> None:
    webrtc = pipeline.webrtc
    connected = rf"Connection state for {PEER} is connected"
    async with viewer(pipeline.url) as first:
        await first.connect_by_server_offer()
        await first.next_frame()
        webrtc.wait_for_line(connected)
        lines_of_first = len(webrtc.lines)
        async with viewer(pipeline.url) as second:
            await second.connect_by_whep()
            await second.next_frame()
            webrtc.wait_for_line(connected, start=lines_of_first)
        webrtc.wait_for_line(LEAVING[-1], start=lines_of_first)
        await first.next_frame()
        lines_of_both = len(webrtc.lines)
    webrtc.wait_for_line(LEAVING[-1], start=lines_of_both)

    positions(webrtc.lines, FIRST_VIEWER)
    second_viewer = [
        line.replace("Returning offer", "Returning answer") for line in FIRST_VIEWER if "initialized" not in line
    ]
    positions(webrtc.lines[lines_of_first:], [*second_viewer, *LEAVING])
    positions(webrtc.lines[lines_of_both:], LEAVING)
    assert sum("PiCameraTrack initialized" in line for line in webrtc.lines) == 1
    positions(pipeline.inference.lines, [r"DEBUG.*Processed and created new video frame at pts: \d+"])


async def test_the_camera_sleeps_when_the_last_viewer_has_left_and_wakes_for_the_next(pipeline: Pipeline) -> None:
    async with viewer(pipeline.url) as one:
        await one.connect_by_whep()
        await one.next_frame()
    camera = pipeline.camera
    positions(camera.lines, [r"DEBUG.*Captured image frame with shape: \(720, 1280, 3\)"])
    camera.wait_for_line(r"INFO.*Camera closed successfully\.")
    positions(camera.lines, [r"INFO.*Camera stopped", r"INFO.*Camera closed successfully\."])
    asleep = len(camera.lines)

    async with viewer(pipeline.url) as one:
        await one.connect_by_whep()
        await one.next_frame()
    camera.wait_for_line(r"Captured image frame", start=asleep)


async def test_a_picture_reaches_the_viewer_with_its_frame_numbers_rising(pipeline: Pipeline) -> None:
    async with viewer(pipeline.url) as one:
        await one.connect_by_whep("raw")
        codes = [read_code((await one.next_frame()).to_ndarray(format="bgr24")) for _ in range(30)]

    numbers = [code.frame_number for code in codes if code is not None]
    assert len(numbers) >= 29
    assert np.all(np.diff(numbers) > 0)


@pytest.mark.heavy
async def test_every_node_ends_within_two_seconds_while_somebody_watches(pipeline: Pipeline) -> None:
    async with viewer(pipeline.url) as one:
        await one.connect_by_whep()
        await one.next_frame()
        for process in {pipeline.webrtc, pipeline.inference, pipeline.camera}:
            begin = time.monotonic()
            assert await asyncio.to_thread(process.stop) == 0, process.output
            assert time.monotonic() - begin < STOP_WITHIN_S
            assert "Traceback" not in process.output
    positions(pipeline.camera.lines, [r"Camera stopped", r"Camera closed successfully\."])

"""The real camera_node with the real Picamera2 on libcamera's virtual cameras, seen from outside their tree.

What this cannot prove is in test/camera/test_picamera2.py: colour order, transforms, controls, raw.
"""

import json
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.topics.messages import frame_from_message, stamp_of
from picam_webrtc_test.install.trees import MAKING_TIMEOUT_S, process_in, run_in, tree_of
from picam_webrtc_test.pipeline import NodeProcess
from picam_webrtc_test.ros.support import running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = [pytest.mark.ros, pytest.mark.timeout(MAKING_TIMEOUT_S + 60)]

FRAME_RATE = 30.0
MEASURED_FRAMES = 301
WARM_UP_FRAMES = 30
WATCHDOG_S = 2.0
PLAIN = 50
"""Grey levels between the darkest and the brightest pixel that a picture with something in it exceeds."""
PROMPT_S = 2.0
"""How long a process may take to end, and a fault to be noticed after the watchdog's time."""


@pytest.fixture
def tree() -> Path:
    return tree_of("trixie")


@pytest.fixture
def fault_file() -> Iterator[Path]:
    """In the shared memory, which both sides see."""
    path = Path("/dev/shm") / f"virtual-camera-{uuid.uuid4()}"  # noqa: S108 - no other place is shared with the tree
    yield path
    path.unlink(missing_ok=True)


@contextmanager
def camera_in(
    tree: Path, parameters: Mapping[str, ParameterValue], *more: str, environment: Mapping[str, str] = {}
) -> Iterator[NodeProcess]:
    command = ["python3", "-m", "picam_webrtc_test.picamera2.node"]
    with process_in(tree, command, {"source": "picamera2", **parameters}, *more, environment=environment) as process:
        process.wait_for_line("Ready: ")
        yield process


class Watcher:
    """What arrives of one image topic, on reliable QoS."""

    def __init__(self, node: Node, topic: str = "image_raw") -> None:
        self.stamps: list[int] = []
        self.arrivals: list[int] = []
        self.last: Image | None = None
        node.create_subscription(Image, topic, self._take, QoSProfile(depth=10))

    def _take(self, message: Image) -> None:
        self.arrivals.append(time.time_ns())
        self.stamps.append(stamp_of(message.header.stamp))
        self.last = message

    def wait_for(self, count: int, timeout_s: float = 20.0) -> None:
        wait_until(lambda: len(self.stamps) >= count, f"{count} frames", timeout_s)


def rate(stamps: list[int]) -> float:
    return (len(stamps) - 1) / (stamps[-1] - stamps[0]) * 1e9


@pytest.mark.heavy
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_frame_arrives_outside_at_30_frames_a_second(tree: Path, size: tuple[int, int]) -> None:
    with camera_in(tree, {"width": size[0], "height": size[1]}), running_node("watcher") as (runtime, node):
        watcher = Watcher(node)
        runtime.spin()
        watcher.wait_for(WARM_UP_FRAMES + MEASURED_FRAMES)
    stamps = watcher.stamps[WARM_UP_FRAMES:]
    arrivals = watcher.arrivals[WARM_UP_FRAMES:]
    gaps = np.diff(stamps) * FRAME_RATE / 1e9
    ages_ms = (np.array(arrivals) - np.array(stamps)) / 1e6

    assert watcher.last is not None
    assert (watcher.last.width, watcher.last.height, watcher.last.encoding) == (*size, "nv12")
    assert rate(stamps) == pytest.approx(FRAME_RATE, abs=0.5)
    # Summed up, because the virtual camera takes its stamps late at times: two periods, then none, lose no frame.
    missing = int((np.rint(gaps) - 1).sum())
    assert missing == 0, f"frames are missing at {np.flatnonzero(np.rint(gaps) != 1)}"
    print(f"frame age on arrival: median {np.median(ages_ms):.1f} ms, p95 {np.percentile(ages_ms, 95):.1f} ms")
    assert 0 < np.median(ages_ms) < 1000 / FRAME_RATE


@pytest.mark.heavy
def test_two_cameras_deliver_at_once(tree: Path) -> None:
    size: dict[str, ParameterValue] = {"width": 640, "height": 480}
    with (
        camera_in(tree, {**size, "camera": "Front"}, "-r", "__ns:=/front"),
        camera_in(tree, {**size, "camera": "back"}, "-r", "__ns:=/back"),
        running_node("watcher") as (runtime, node),
    ):
        front, back = Watcher(node, "/front/image_raw"), Watcher(node, "/back/image_raw")
        runtime.spin()
        for watcher in (front, back):
            watcher.wait_for(WARM_UP_FRAMES + 90)

    for watcher in (front, back):
        assert rate(watcher.stamps[WARM_UP_FRAMES:]) == pytest.approx(FRAME_RATE, abs=0.5)
    assert front.last is not None
    assert back.last is not None
    assert not np.array_equal(frame_from_message(front.last).pixels, frame_from_message(back.last).pixels)


@pytest.mark.heavy
def test_both_streams_of_a_camera_have_one_stamp(tree: Path) -> None:
    parameters: dict[str, ParameterValue] = {"width": 1280, "height": 720, "lores_width": 640, "lores_height": 480}
    with camera_in(tree, parameters), running_node("watcher") as (runtime, node):
        main, lores = Watcher(node), Watcher(node, "lores/image_raw")
        runtime.spin()
        main.wait_for(30)
        lores.wait_for(30)

    assert lores.last is not None
    assert (lores.last.width, lores.last.height) == (640, 480)
    assert set(lores.stamps[5:25]) <= set(main.stamps)


@pytest.mark.heavy
@pytest.mark.parametrize("fault", ["hold", "raise"])
def test_a_camera_that_stops_delivering_is_reopened_and_the_topic_resumes(
    tree: Path, fault_file: Path, fault: str
) -> None:
    environment = {"VIRTUAL_CAMERA_FAULT_FILE": str(fault_file)}
    with camera_in(tree, {}, environment=environment) as process, running_node("watcher") as (runtime, node):
        watcher, levels = Watcher(node), list[bytes]()
        node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda report: levels.append(report.status[0].level), 10
        )
        runtime.spin()
        watcher.wait_for(WARM_UP_FRAMES)
        fault_file.write_text(fault)
        begin = time.monotonic()
        process.wait_for_line("Camera fault: no frame for 2 s")
        noticed_s = time.monotonic() - begin
        wait_until(lambda: DiagnosticStatus.WARN in levels, "a warning in the diagnostics")
        fault_file.unlink()
        process.wait_for_line("Camera delivers again")
        watcher.wait_for(len(watcher.stamps) + WARM_UP_FRAMES)

        assert noticed_s < WATCHDOG_S + PROMPT_S
        wait_until(lambda: levels[-1] == DiagnosticStatus.OK, "diagnostics to be OK again", timeout_s=15)


@pytest.mark.heavy
def test_a_hung_camera_does_not_keep_the_process_alive(tree: Path, fault_file: Path) -> None:
    environment = {"VIRTUAL_CAMERA_FAULT_FILE": str(fault_file)}
    with camera_in(tree, {}, environment=environment) as process, running_node("watcher") as (runtime, node):
        watcher = Watcher(node)
        runtime.spin()
        watcher.wait_for(WARM_UP_FRAMES)
        fault_file.write_text("hold")
        count = len(watcher.stamps)
        begin = time.monotonic()

        assert process.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begin < PROMPT_S
        assert len(watcher.stamps) - count < WARM_UP_FRAMES


def test_a_hundred_openings_leave_nothing_behind(tree: Path) -> None:
    report = json.loads(run_in(tree, "python3", "-m", "picam_webrtc_test.picamera2.cycles", "100"))

    assert report["frames"] == 100
    assert report["open_files_after"] == report["open_files_before"]
    assert report["threads"] == ["MainThread"]
    assert report["resident_kib_grown"] < 10 * 1024


def test_the_cameras_are_listed(tree: Path) -> None:
    listed = run_in(tree, "python3", "-m", "picam_webrtc_test.picamera2.list_cameras")

    assert "camera 0, Virtual Front (front)" in listed
    assert "camera 1, Virtual Back (back)" in listed
    assert "NV12 (format:=nv12), up to 1280x720" in listed
    assert "FrameDurationLimits: list of ints, 16666 to 33333" in listed


async def test_a_viewer_outside_sees_the_camera_through_the_whole_pipeline(tree: Path) -> None:
    parameters: dict[str, ParameterValue] = {"source": "picamera2", "model": "face_detection", "port": 0}
    with process_in(tree, ["python3", "-m", "picam_webrtc_test.picamera2.composed"], parameters) as process:
        url = process.wait_for_line(r"The page is at (http://\S+)")[1]
        async with viewer(url) as watching:
            await watching.connect_by_whep()
            frames = [await watching.next_frame() for _ in range(WARM_UP_FRAMES)]

        assert {(frame.width, frame.height) for frame in frames} == {(1280, 720)}
        last = frames[-1].to_ndarray(format="gray")
        assert int(last.max()) - int(last.min()) > PLAIN
        assert process.stop() == 0

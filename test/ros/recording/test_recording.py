"""A recording has what a subscriber got, decodes frame by frame, and plays back into the pipeline."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.node import Node
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CameraInfo, CompressedImage

from picam_webrtc.camera.code import read_code
from picam_webrtc.camera.compressed import decode_picture
from picam_webrtc.declaration import ParameterValue
from picam_webrtc.frame import Pixels
from picam_webrtc.ros.topics.messages import stamp_of
from picam_webrtc.ros.topics.qos import video_publisher_qos
from picam_webrtc_test.browser import open_chromium
from picam_webrtc_test.browser import wait_until as wait_until_page
from picam_webrtc_test.machine import SPOILED, watched
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import leaps, running_node, wait_until
from picam_webrtc_test.viewer import viewer
from picam_webrtc_test.web.pattern import read_patterns

pytestmark = [pytest.mark.ros, pytest.mark.heavy, pytest.mark.timeout(240)]

PARAMETERS: dict[str, ParameterValue] = {
    "source": "test_pattern", "transform": "none", "port": 0, "encoded_topics": "compressed_image",
}  # fmt: skip
RAW, JPEG, VIDEO, INFO = "/image_raw", "/image_raw/compressed", "/image_processed/h264", "/camera_info"
COUNTED = {JPEG: CompressedImage, VIDEO: CompressedImage, INFO: CameraInfo}
FRAMES_IN_10_S = 300
START_UP_FRAMES = 5
"""While the encoder opens, frames may give way."""
RAW_BYTES_NEEDED = 4 << 30


class Witness:
    """A plain subscriber: the stamps it got."""

    def __init__(self, node: Node) -> None:
        self.stamps: dict[str, list[int]] = {topic: [] for topic in COUNTED}
        for topic, message_type in COUNTED.items():
            node.create_subscription(message_type, topic, self._taking(topic), video_publisher_qos())

    def _taking(self, topic: str) -> Any:
        return lambda message: self.stamps[topic].append(stamp_of(message.header.stamp))


@pytest.fixture(scope="module")
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, list[int]]]]:
    """Ten seconds of 720p30, and what a subscriber got meanwhile."""
    path = tmp_path_factory.mktemp("bags") / "drive"
    try:
        with watched() as disturbance:
            stamps = record(path)
        request.node.stash[SPOILED] = disturbance().spoils
        yield path, stamps
    finally:  # nearly a gigabyte
        shutil.rmtree(path, ignore_errors=True)


def record(path: Path) -> dict[str, list[int]]:
    """What a subscriber got while all was recorded."""
    topics = [*COUNTED, *([RAW] if shutil.disk_usage(path.parent).free > RAW_BYTES_NEEDED else [])]
    arguments = ["--without-rosbag2", "--output", str(path), *topics]
    with (
        node_process("picam_webrtc", PARAMETERS),
        running_node("witness") as (runtime, node),
        node_process("record", arguments=arguments) as recorder,
    ):
        for topic in topics:
            recorder.wait_for_line(f"Recording {topic}$")
        witness = Witness(node)
        runtime.spin()
        wait_until(lambda: len(witness.stamps[VIDEO]) >= FRAMES_IN_10_S, "ten seconds of video", timeout_s=30)
        assert recorder.stop(signal.SIGINT) == 0
        assert "messages in" in recorder.output
    return witness.stamps


@contextmanager
def messages(path: Path, topic: str) -> Iterator[Iterator[Any]]:
    with AnyReader([path]) as reader:
        connections = [one for one in reader.connections if one.topic == topic]
        yield (reader.deserialize(data, one.msgtype) for one, _, data in reader.messages(connections))


def recorded_stamps(path: Path, topic: str) -> list[int]:
    with messages(path, topic) as recorded:
        return [stamp_of(message.header.stamp) for message in recorded]


def frame_number(pixels: Pixels) -> int:
    code = read_code(pixels)
    assert code is not None
    return code.frame_number


def assert_without_gap(numbers: list[int]) -> None:
    assert len(numbers) >= FRAMES_IN_10_S - 10
    assert leaps(numbers) == []


@pytest.mark.parametrize("topic", COUNTED)
def test_a_recording_has_every_message_that_a_subscriber_got(
    recording: tuple[Path, dict[str, list[int]]], topic: str
) -> None:
    path, witnessed = recording
    recorded, got = recorded_stamps(path, topic), witnessed[topic]

    first, last = max(recorded[0], got[0]), min(recorded[-1], got[-1])
    assert [stamp for stamp in recorded if first <= stamp <= last] == [
        stamp for stamp in got if first <= stamp <= last
    ]  # fmt: skip
    assert len(got) >= FRAMES_IN_10_S - 10


def test_coded_video_decodes_to_as_many_pictures_as_messages_without_a_gap(
    recording: tuple[Path, dict[str, list[int]]],
) -> None:
    decoder, count, pictures = av.CodecContext.create("h264", "r"), 0, list[Any]()
    with messages(recording[0], VIDEO) as recorded:
        for message in recorded:
            assert message.format == "h264"
            pictures += decoder.decode(av.Packet(message.data.tobytes()))
            count += 1
    pictures += decoder.decode(None)

    assert len(pictures) == count
    shown = pictures[START_UP_FRAMES:]
    assert_without_gap([frame_number(picture.to_ndarray(format="bgr24")) for picture in shown])


def test_every_compressed_image_is_there(recording: tuple[Path, dict[str, list[int]]]) -> None:
    with messages(recording[0], JPEG) as recorded:
        assert_without_gap([frame_number(decode_picture(one.data, one.format)) for one in recorded])


def test_every_raw_image_is_there(recording: tuple[Path, dict[str, list[int]]]) -> None:
    with messages(recording[0], RAW) as recorded:
        numbers = [frame_number(np.asarray(one.data).reshape(one.height, one.width, 3)) for one in recorded]
    if not numbers:
        pytest.skip("the disk is too small for raw images")
    assert_without_gap(numbers)


def test_the_file_is_mcap_that_others_read_with_types_and_all(recording: tuple[Path, dict[str, list[int]]]) -> None:
    (file,) = recording[0].glob("*.mcap")
    with file.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        decoded = reader.iter_decoded_messages(topics=[INFO])
        widths = {message.decoded_message.width for message in decoded}
    assert summary is not None
    assert {channel.topic for channel in summary.channels.values()} >= set(COUNTED)
    assert widths == {1280}


@contextmanager
def replaying(path: Path, topic: str) -> Iterator[str]:
    """The address of the page on which the recording is shown."""
    replay: dict[str, ParameterValue] = {
        "source": "bag", "bag": str(path), "bag_topic": topic, "transform": "none", "port": 0,
    }  # fmt: skip
    with node_process("picam_webrtc", replay) as process:
        yield process.wait_for_line(r"The page is at (http://\S+)")[1]


@pytest.mark.parametrize("topic", [JPEG, VIDEO])
async def test_a_recording_plays_back_to_a_viewer(recording: tuple[Path, dict[str, list[int]]], topic: str) -> None:
    with replaying(recording[0], topic) as url:
        async with viewer(url) as watching:
            await watching.connect_by_whep()
            codes = [read_code((await watching.next_frame()).to_ndarray(format="bgr24")) for _ in range(40)]

    numbers = [code.frame_number for code in codes if code is not None]
    assert len(numbers) >= 35
    assert np.all(np.diff(numbers) > 0)


@pytest.mark.browser
async def test_a_recording_plays_back_to_a_browser(recording: tuple[Path, dict[str, list[int]]]) -> None:
    number = "picamPattern.read(document.querySelector('video'))?.number"
    with replaying(recording[0], VIDEO) as url:
        async with open_chromium() as browser:
            page = await browser.open(url)
            await read_patterns(page)
            first = await wait_until_page(page, number)
            await wait_until_page(page, f"{number} > {first}")

"""Recordings as cameras: raw, compressed and coded topics, at the pace they were recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from picam_webrtc.camera.bag import BagSource
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.compressed import HALF, encoded, video
from picam_webrtc_test.camera.fakes import FakeClock

TYPES = get_typestore(Stores.LATEST)
NS_PER_FRAME = 100_000_000
START_NS = 1_790_000_000_000_000_000


def header() -> Any:
    stamp = TYPES.types["builtin_interfaces/msg/Time"](sec=1, nanosec=2)
    return TYPES.types["std_msgs/msg/Header"](stamp=stamp, frame_id="optical")


def image(number: int) -> Any:
    pixels = np.full((48, 64, 3), number, np.uint8)
    make = TYPES.types["sensor_msgs/msg/Image"]
    return make(
        header=header(), height=48, width=64, encoding="rgb8", is_bigendian=0, step=64 * 3, data=pixels.reshape(-1)
    )


def compressed(data: bytes, message_format: str) -> Any:
    make = TYPES.types["sensor_msgs/msg/CompressedImage"]
    return make(header=header(), format=message_format, data=np.frombuffer(data, np.uint8))


MakeBag = Callable[[dict[str, list[Any]]], Path]


@pytest.fixture
def make_bag(tmp_path: Path) -> MakeBag:
    def make(topics: dict[str, list[Any]]) -> Path:
        path = tmp_path / "recording"
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            for topic, messages in topics.items():
                name = messages[0].__msgtype__
                connection = writer.add_connection(topic, name, typestore=TYPES)
                for number, message in enumerate(messages):
                    data = TYPES.serialize_cdr(message, name)
                    writer.write(connection, START_NS + number * NS_PER_FRAME, bytes(data))
        return path

    return make


def source(path: Path, clock: FakeClock | None = None, **settings: Any) -> BagSource:
    return BagSource(CameraSettings(source="bag", bag=str(path), **settings), clock or FakeClock())


def test_a_raw_topic_is_played_at_the_pace_it_was_recorded_again_and_again(make_bag: MakeBag) -> None:
    clock = FakeClock()
    playing = source(make_bag({"/image_raw": [image(10), image(20), image(30)]}), clock)
    playing.open()

    frame_sets = [playing.read(1.0) for _ in range(5)]
    playing.close()

    frames = [frame_set.frame for frame_set in frame_sets if frame_set is not None]
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [10, 20, 30, 10, 20]
    assert {frame.encoding for frame in frames} == {"rgb8"}
    assert np.diff([frame.stamp_ns for frame in frames])[:2].tolist() == [NS_PER_FRAME, NS_PER_FRAME]


def test_compressed_and_coded_topics_are_decoded(make_bag: MakeBag) -> None:
    path = make_bag(
        {
            "/a/compressed": [compressed(encoded(".jpg", HALF), "bgr8; jpeg compressed bgr8")],
            "/b/h264": [compressed(packet, "h264") for packet in video(3)],
        }
    )
    for topic in ("/a/compressed", "/b/h264"):
        playing = source(path, bag_topic=topic)
        playing.open()
        frame_set = playing.read(1.0)
        playing.close()

        assert frame_set is not None
        assert frame_set.frame.encoding == "bgr8"
        assert frame_set.frame.pixels[24, 60, 2] > 200


def test_raw_images_are_chosen_before_compressed_ones(make_bag: MakeBag) -> None:
    path = make_bag({"/a": [compressed(encoded(".jpg", HALF), "jpeg")], "/z": [image(1)]})

    assert "topic /z" in str(source(path))


def test_a_topic_that_is_not_there_is_refused_naming_those_that_are(make_bag: MakeBag) -> None:
    path = make_bag({"/image_raw": [image(1)]})

    with pytest.raises(SettingError, match=r"'/image'.*are: /image_raw"):
        source(path, bag_topic="/image")


def test_no_recording_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="parameter 'bag' = ''"):
        BagSource(CameraSettings(source="bag"))
    with pytest.raises(SettingError, match="no rosbag2 recording"):
        source(tmp_path)


def test_a_topic_without_a_picture_that_decodes_fails_when_opened(make_bag: MakeBag) -> None:
    playing = source(make_bag({"/broken": [compressed(b"nothing", "jpeg")]}))

    with pytest.raises(CameraError, match="no picture"):
        playing.open()

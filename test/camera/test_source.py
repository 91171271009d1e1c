"""The choice of a source: by name, or by what is there."""

import logging
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from picam_webrtc.camera.automatic import AutomaticSource
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.source import make_source
from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.camera.video_file import VideoFileSource
from picam_webrtc.errors import SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary


def settings(**values: object) -> CameraSettings:
    return CameraSettings.from_values(values)


def test_each_name_gives_its_source(tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), np.zeros((8, 8, 3), np.uint8))

    assert isinstance(make_source(settings(source="test_pattern")), TestPatternSource)
    assert isinstance(make_source(settings(source="video_file", video_file=str(still))), VideoFileSource)
    assert isinstance(make_source(settings(source="picamera2"), FakeLibrary("imx708")), Picamera2Source)


def test_a_network_for_a_source_without_a_sensor_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    make_source(CameraSettings(source="test_pattern", network="/usr/share/imx500-models/none.rpk"))

    assert caplog.messages == ["Parameter 'network' has no effect: source test_pattern has no sensor"]


def test_auto_takes_picamera2_when_it_sees_a_camera_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert isinstance(make_source(settings(source="auto"), FakeLibrary("imx708")), Picamera2Source)
    assert caplog.messages == ["Source auto takes Picamera2: it sees camera 0, imx708 (/base/i2c@0/imx708)"]


@pytest.fixture(autouse=True)
def ros_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    return tmp_path / "ros"


@pytest.fixture
def no_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "libcamera", None)


def test_auto_warns_where_picamera2_is_and_no_camera(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = make_source(settings(source="auto"), FakeLibrary())

    assert isinstance(source, AutomaticSource)
    assert source.notice.startswith("no camera, the test pattern is shown: Picamera2 sees no camera")
    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("WARNING", "Source auto takes the test pattern until a camera comes")
    ]


@pytest.mark.usefixtures("no_picamera2")
def test_auto_warns_where_a_camera_was_seen_before(ros_home: Path) -> None:
    make_source(settings(source="auto", camera_name="front/left"), FakeLibrary("imx708"))
    assert (ros_home / "picam_webrtc" / "front%2Fleft.camera").read_text() == "imx708 /base/i2c@0/imx708\n"

    assert isinstance(make_source(settings(source="auto", camera_name="front/left")), AutomaticSource)
    assert isinstance(make_source(settings(source="auto", camera_name="other")), TestPatternSource)


def test_a_memory_that_cannot_be_written_costs_nothing_else(ros_home: Path) -> None:
    ros_home.write_text("a file, and no folder")

    assert isinstance(make_source(settings(source="auto"), FakeLibrary("imx708")), Picamera2Source)


@pytest.mark.usefixtures("no_picamera2")
def test_the_test_pattern_that_stands_in_for_a_camera_is_never_taken_for_the_world() -> None:
    source = make_source(settings(source="auto", frame_id="front_optical_frame"))
    source.open()
    frame_set = source.read(1)
    chosen = make_source(settings(source="test_pattern", frame_id="front_optical_frame"))
    chosen.open()
    wanted = chosen.read(1)

    assert frame_set is not None
    assert frame_set.frame.frame_id == "test_pattern"
    assert wanted is not None
    assert wanted.frame.frame_id == "front_optical_frame"  # somebody asked for it
    label = slice(720 // 4, 720 * 5 // 8)
    assert not np.array_equal(frame_set.frame.pixels[label], wanted.frame.pixels[label])
    assert (frame_set.frame.pixels[label] == 0).all(axis=2).any()


@pytest.mark.usefixtures("no_picamera2")
def test_auto_takes_the_test_pattern_where_there_is_no_picamera2(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert isinstance(make_source(settings(source="auto")), TestPatternSource)
    assert "Picamera2 cannot be imported" in caplog.messages[0]


def test_picamera2_that_is_asked_for_and_absent_is_a_bad_parameter() -> None:
    with pytest.raises(SettingError, match=r"parameter 'source' = 'picamera2': .*sees no camera.*source:=test_pattern"):
        make_source(settings(source="picamera2"), FakeLibrary())


def test_a_wrong_camera_is_a_bad_parameter_even_for_auto() -> None:
    with pytest.raises(SettingError, match="parameter 'camera' = 'ov5647': no such camera"):
        make_source(settings(source="auto", camera="ov5647"), FakeLibrary("imx708"))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"width": 641}, "parameter 'width' = 641: must be even"),
        ({"height": 481}, "parameter 'height' = 481: must be even"),
        ({"lores_width": 320}, "parameter 'lores_height' = 0: give both"),
        ({"lores_height": 240}, "parameter 'lores_width' = 0: give both"),
        ({"lores_width": 2000, "lores_height": 240}, "parameter 'lores_width' = 2000: must be at most 1280"),
        ({"lores_width": 320, "lores_height": 800}, "parameter 'lores_height' = 800: must be at most 720"),
    ],
)
def test_sizes_that_no_stream_can_have_are_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        make_source(settings(source="test_pattern", **values))

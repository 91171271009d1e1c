"""Picamera2 as a source: what it is asked, what is made of its answers, and its traps."""

import logging
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.picamera2_library import installed_library, list_cameras, select_camera
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock


def make(device: FakePicamera2 | None = None, clock: FakeClock | None = None, **values: Any) -> Picamera2Source:
    settings = CameraSettings.from_values({"source": "picamera2", "width": 64, "height": 64, **values})
    return Picamera2Source(settings, FakeLibrary("imx708", device=device or FakePicamera2()), clock or FakeClock())


def configuration(**values: Any) -> dict[str, Any]:
    device = FakePicamera2()
    make(device, **values).open()
    return device.configuration


def test_the_configuration_is_the_low_latency_one() -> None:
    asked = configuration(width=640, height=480, frame_rate=50.0)

    assert asked["main"] == {"format": "RGB888", "size": (640, 480), "stride": 1920}
    assert asked["controls"] == {"FrameDurationLimits": (20000, 20000), "NoiseReductionMode": 1}
    assert (asked["queue"], asked["display"], asked["encode"], asked["buffer_count"]) == (False, None, None, 4)
    assert asked["lores"] is None
    assert asked["transform"] == {"hflip": False, "vflip": False}


def test_flips_and_a_lores_stream_are_asked_for_when_set() -> None:
    asked = configuration(hflip=True, lores_width=64, lores_height=64)

    assert asked["transform"] == {"hflip": True, "vflip": False}
    assert asked["lores"] == {"format": "YUV420", "size": (64, 64), "stride": 64}


@pytest.mark.parametrize(
    ("format_name", "encoding", "shape"),
    [
        ("bgr", "bgr8", (64, 64, 3)),
        ("rgb", "rgb8", (64, 64, 3)),
        ("bgra", "bgra8", (64, 64, 4)),
        ("rgba", "rgba8", (64, 64, 4)),
        ("yuv420", "nv12", (96, 64)),
        ("nv12", "nv12", (96, 64)),
    ],
)
def test_each_format_is_published_under_its_ros_name(format_name: str, encoding: str, shape: tuple[int, ...]) -> None:
    device = FakePicamera2()
    source = make(device, format=format_name)
    source.open()
    device.complete()
    frame_set = source.read(1)

    assert frame_set is not None
    assert (frame_set.frame.encoding, frame_set.frame.shape) == (encoding, shape)


def test_what_the_camera_delivers_counts_not_what_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    device = FakePicamera2({"main": {"format": "NV12", "size": (128, 96), "stride": 192}})
    source = make(device)
    source.open()
    device.complete()
    frame_set = source.read(1)

    assert frame_set is not None
    assert (frame_set.frame.encoding, frame_set.frame.width, frame_set.frame.height) == ("nv12", 128, 96)
    assert "gives 128x96, not 64x64" in caplog.text
    assert "gives nv12, not format bgr" in caplog.text


def test_both_streams_and_the_metadata_of_one_moment_come_in_one_shot() -> None:
    device, clock = FakePicamera2(), FakeClock()
    source = make(device, clock, lores_width=64, lores_height=64, frame_id="cam")
    source.open()
    device.complete(metadata={"SensorTimestamp": clock.now_ns - 5, "ExposureTime": 9000})
    frame_set = source.read(1)

    assert frame_set is not None
    assert frame_set.lores is not None
    assert frame_set.frame.stamp_ns == frame_set.lores.stamp_ns == clock.realtime_ns() - 5
    assert (frame_set.frame.frame_id, frame_set.lores.frame_id, frame_set.lores.encoding) == ("cam", "cam", "nv12")
    assert frame_set.metadata["ExposureTime"] == 9000


def test_a_frame_is_a_copy_and_its_buffer_goes_back_at_once() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    buffers = device.blank_buffers()
    device.complete(buffers)
    frame_set = source.read(1)

    assert frame_set is not None
    assert device.unreleased == 0
    assert not np.shares_memory(frame_set.frame.pixels, buffers["main"])


def test_the_next_frame_is_asked_for_before_the_last_one_is_dealt_with() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    device.complete()
    source.read(1)

    assert len(device.jobs) == 2


def test_a_read_without_a_frame_leaves_its_job_for_the_next_read() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()

    assert source.read(timeout_s=0.001) is None
    device.complete()
    assert source.read(timeout_s=1) is not None


def test_closing_flushes_the_jobs_first_and_never_calls_stop() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    source.close()
    source.close()

    assert device.calls == ["configure", "set_controls", "start", "cancel_all_and_flush", "close"]


def test_closing_gives_back_a_frame_that_nobody_read() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    device.complete()
    source.close()

    assert device.unreleased == 0


@pytest.mark.parametrize("step", ["configure", "start"])
def test_a_failed_opening_closes_what_was_open(step: str) -> None:
    device = FakePicamera2()
    device.errors[step] = RuntimeError("lens cap welded on")

    with pytest.raises(CameraError, match=r"imx708.* does not open: lens cap welded on"):
        make(device).open()
    assert device.calls[-1] == "close"


def test_a_failed_opening_names_the_innermost_cause() -> None:
    library = FakeLibrary("imx708")
    library.error = RuntimeError("Failed to acquire camera: Device or resource busy")
    source = Picamera2Source(CameraSettings(), library)

    with pytest.raises(CameraError, match="does not open: Failed to acquire camera: Device or resource busy"):
        source.open()


def test_a_camera_that_neither_opens_nor_closes_says_both(caplog: pytest.LogCaptureFixture) -> None:
    device = FakePicamera2()
    device.errors = {"start": RuntimeError("no link"), "close": RuntimeError("stuck")}

    with pytest.raises(CameraError, match="no link"):
        make(device).open()
    assert "does not close: stuck" in caplog.text


def test_a_job_that_fails_is_a_camera_error() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    device.jobs[-1].fail(RuntimeError("event loop died"))

    with pytest.raises(CameraError, match="event loop died"):
        source.read(1)


def test_a_frame_that_cannot_be_understood_still_gives_its_buffer_back() -> None:
    device = FakePicamera2()
    source = make(device)
    source.open()
    device.complete({"main": np.zeros(5, np.uint8)})

    with pytest.raises(CameraError, match="does not hold its picture"):
        source.read(1)
    assert device.unreleased == 0


def test_a_format_that_ros_cannot_name_fails_the_opening() -> None:
    device = FakePicamera2({"main": {"format": "MJPEG"}})

    with pytest.raises(CameraError, match="delivers MJPEG"):
        make(device).open()


def test_a_source_that_is_not_open_is_not_read() -> None:
    with pytest.raises(CameraError, match="is not open"):
        make().read(1)


def test_a_control_that_the_camera_lacks_is_not_asked_for() -> None:
    device = FakePicamera2(sensor=None)
    device.reopen = lambda: None  # type: ignore[method-assign]
    device.camera_controls = {}
    make(device).open()

    assert device.told == []


CAMERAS = list_cameras(FakeLibrary("imx708_wide", "imx219", "imx219"))


@pytest.mark.parametrize(
    ("wanted", "index"), [("", 0), ("0", 0), ("2", 2), ("/base/i2c@1/imx219", 1), ("imx708", 0), ("IMX708_WIDE", 0)]
)
def test_a_camera_is_found_by_index_id_or_part_of_its_model(wanted: str, index: int) -> None:
    assert select_camera(CAMERAS, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "complaint"), [("imx219", "2 cameras match, give an index"), ("7", "no such camera"), ("ov", "no such")]
)
def test_a_camera_that_cannot_be_meant_is_refused_with_the_choice(wanted: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=f"'camera' = '{wanted}': {complaint}.*there are: camera 0, imx708"):
        select_camera(CAMERAS, wanted)


def test_no_camera_at_all_is_a_camera_error() -> None:
    with pytest.raises(CameraError, match="sees no camera"):
        select_camera((), "")


def test_a_library_that_fails_to_list_is_a_camera_error() -> None:
    class Broken(FakeLibrary):
        def cameras(self) -> list[dict[str, Any]]:
            raise RuntimeError("Camera Manager already exists")

    with pytest.raises(CameraError, match="cannot list cameras: Camera Manager already exists"):
        list_cameras(Broken())


def test_without_picamera2_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "picamera2", None)

    with pytest.raises(CameraError, match="sudo apt install python3-picamera2"):
        installed_library()


def test_the_source_says_what_it_is() -> None:
    source = make()
    before = str(source)
    source.open()

    assert before == "camera 0, imx708 (/base/i2c@0/imx708) at 30 frames/s"
    assert str(source) == "camera 0, imx708 (/base/i2c@0/imx708), 64x64 bgr8 at 30 frames/s"
    logging.getLogger(__name__).debug("%s", source)


def with_controls() -> tuple[Picamera2Source, FakePicamera2]:
    device = FakePicamera2()
    source = make(device)
    source.probe()
    return source, device


def test_the_controls_are_learnt_without_leaving_the_camera_open() -> None:
    source, device = with_controls()

    assert "ExposureTime" in source.probe().controls
    assert device.calls == ["configure", "close"] * 2


def test_a_camera_that_cannot_be_probed_is_a_camera_error() -> None:
    library = FakeLibrary("imx708")
    library.error = RuntimeError("busy")

    with pytest.raises(CameraError, match="does not open: busy"):
        Picamera2Source(CameraSettings(), library).probe()


def test_changed_controls_reach_the_camera_with_the_next_frame() -> None:
    source, device = with_controls()
    controls = source.probe()
    source.open()
    source.apply(controls.plan({"Contrast": 2.0}))
    source.apply(controls.plan({"ExposureTime": 10000}))
    started = len(device.told)
    for _ in range(2):
        device.complete()
        source.read(1)

    assert device.told[started:] == [{"Contrast": 2.0, "ExposureTime": 10000, "ExposureTimeMode": 1}]


def test_controls_that_were_changed_are_set_again_when_the_camera_is_opened_again() -> None:
    source, device = with_controls()
    source.apply(source.probe().plan({"Contrast": 2.0}))
    source.open()

    assert device.told == [{"FrameDurationLimits": (33333, 33333), "NoiseReductionMode": 1, "Contrast": 2.0}]


def test_own_frame_durations_replace_the_frame_rate() -> None:
    source, device = with_controls()
    assert source.frame_rate == pytest.approx(30, abs=0.01)
    source.apply(source.probe().plan({"FrameDurationLimits": [20000, 20000]}))
    source.open()

    assert device.told == [{"FrameDurationLimits": (20000, 20000), "NoiseReductionMode": 1}]
    assert source.frame_rate == 50


def test_a_control_that_the_camera_refuses_is_a_camera_error() -> None:
    source, device = with_controls()
    controls = source.probe()
    source.open()
    source.apply(controls.plan({"Contrast": 2.0}))
    device.errors["set_controls"] = RuntimeError("Control Contrast is not advertised by libcamera")
    device.complete()

    with pytest.raises(CameraError, match="Control Contrast is not advertised"):
        source.read(1)
    assert device.unreleased == 0

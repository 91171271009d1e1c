"""`list_cameras` tells all that is needed to choose a camera and its settings."""

import sys

import pytest

from picam_webrtc.camera.list_cameras import listing, main
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2


def test_each_camera_is_described_and_closed_again() -> None:
    device = FakePicamera2()
    lines = list(listing(FakeLibrary("imx708", device=device)))

    assert lines[0] == "camera 0, imx708 (/base/i2c@0/imx708)"
    mode = "1536x864:10 at up to 120.1 frames/s, SRGGB10_CSI2P, sees 67% of the width, 67% of the height"
    assert f"    {mode}" in lines
    assert "  controls at 1280x720:" in lines
    assert any(line.startswith("    ExposureTime: int, 9 to 77208384, default 20000") for line in lines)
    assert "    RGB888 (format:=bgr), up to 1280x720" in lines
    assert "    YUV420 (format:=yuv420), up to ?x?" in lines
    assert "    Contrast: float, 0.0 to 32.0, default 1.0: 1 is normal" not in lines
    assert "    Contrast: float, 0.0 to 32.0, default 1.0: 1 is none" in lines
    assert device.calls[-1] == "close"


def test_a_camera_without_a_sensor_of_its_own_has_no_modes() -> None:
    lines = list(listing(FakeLibrary("webcam", device=FakePicamera2(sensor=None))))

    assert lines[lines.index("  sensor modes (sensor_mode:=):") + 1] == "  formats:"


def test_a_camera_that_cannot_be_configured_has_generic_limits() -> None:
    device = FakePicamera2()
    device.errors["configure"] = RuntimeError("no memory")

    assert "  controls, before the camera is configured:" in list(listing(FakeLibrary("imx708", device=device)))


def test_a_camera_that_is_in_use_is_said_to_be_so() -> None:
    library = FakeLibrary("imx708")
    library.error = RuntimeError("busy")

    assert list(listing(library))[1].startswith("  does not open: ")


def test_without_a_camera_it_says_what_to_check() -> None:
    assert list(listing(FakeLibrary())) == [
        "Picamera2 sees no camera: check the cable and `rpicam-hello --list-cameras`"
    ]


def test_without_picamera2_it_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "libcamera", None)

    assert main([]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("list_cameras: there is no Picamera2: ")
    assert "Picamera2 cannot be imported" in complaint


def test_the_cameras_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("picam_webrtc.camera.reach.installed_library", lambda: FakeLibrary("imx219"))

    assert main([]) == 0
    assert "imx219" in capsys.readouterr().out

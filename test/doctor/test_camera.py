"""Picamera2 and what it sees: asked in a process of its own, and nothing is opened."""

import os
import stat
import sys
from pathlib import Path

import pytest

from picam_webrtc.doctor.camera import cameras, children, permissions
from picam_webrtc.doctor.children import LATE, Answer, Step, start
from picam_webrtc.doctor.finding import PATIENCE, Level
from picam_webrtc_test.doctor.support import diagnose, module

LIBCAMERA = """
class Size:
    def __init__(self, width, height):
        self.width, self.height = width, height

class Formats:
    pixel_formats = ["SRGGB10_CSI2P"]
    def sizes(self, name):
        return [Size(1536, 864), Size(4608, 2592)]

class Stream:
    formats = Formats()

class Configuration:
    def at(self, index):
        return Stream()

class Camera:
    id = "/base/soc/i2c0mux/i2c@1/imx708@1a"
    def generate_configuration(self, roles):
        assert roles == ["Raw"]
        return Configuration()

class CameraManager:
    cameras = [Camera()]
    @classmethod
    def singleton(cls):
        return cls

class StreamRole:
    Raw = "Raw"
"""
"""As far as asked, named as in the Python bindings of libcamera 0.7; without acquire(), which nothing may call."""
PICAMERA2 = """
class Picamera2:
    @staticmethod
    def global_camera_info():
        return {cameras}
    def __init__(self, index):
        raise SystemExit("opened")

MappedArray = None
"""
IMX708 = [{"Model": "imx708", "Location": 2, "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a", "Num": 0}]
"""As Picamera2 0.3.31 lists a Camera Module 3."""


def picamera2(folder: Path, cameras: object) -> Path:
    module(folder, "libcamera", LIBCAMERA)
    return module(folder, "picamera2", PICAMERA2.format(cameras=cameras))


def test_a_camera_is_told_with_the_modes_of_its_sensor(tmp_path: Path) -> None:
    found = diagnose(before=[picamera2(tmp_path, IMX708)])["camera"]

    assert found.level is Level.OK
    assert found.found == (
        "camera 0, imx708 (/base/soc/i2c0mux/i2c@1/imx708@1a); "
        "sensor modes: 1536x864 SRGGB10_CSI2P, 4608x2592 SRGGB10_CSI2P"
    )


def test_no_camera_is_told_with_what_to_check(tmp_path: Path) -> None:
    found = diagnose(before=[picamera2(tmp_path, [])])["camera"]

    assert found.level is Level.WARNING  # the test pattern is shown
    assert found.found == "Picamera2 sees no camera: source:=auto shows the test pattern"
    assert "rpicam-hello --list-cameras" in found.remedy


def test_a_picamera2_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    module(tmp_path, "libcamera", "raise ImportError('_libcamera is for another Python')")

    found = diagnose(before=[module(tmp_path, "picamera2")])["camera"]

    assert found.level is Level.BROKEN
    assert "_libcamera is for another Python" in found.found
    assert "python3-picamera2" in found.remedy


def test_where_only_the_systems_python_has_picamera2_its_cameras_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stood in for by this Python with a path of its own."""
    site = picamera2(tmp_path / "site", IMX708)
    system = tmp_path / "python3"
    system.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    system.chmod(stat.S_IRWXU)
    monkeypatch.setattr("picam_webrtc.doctor.camera.is_there", lambda _: False)

    (found,) = cameras(start(children(system), 60.0)(), system)

    assert found.level is Level.OK
    assert f", seen by Picamera2 of {system}, in a capture process; sensor modes: " in found.found


def test_a_capture_service_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("picam_webrtc.doctor.camera.is_there", lambda _: False)
    socket = tmp_path / "capture.sock"
    socket.touch()

    (found,) = cameras({}, tmp_path / "python3", socket)

    assert found.level is Level.OK
    assert found.found == f"a capture service listens at {socket}; list_cameras shows what it sees"


def test_without_picamera2_anywhere_it_is_to_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("picam_webrtc.doctor.camera.is_there", lambda _: False)

    (found,) = cameras({}, tmp_path / "python3", tmp_path / "capture.sock")

    assert found.level is Level.WARNING
    assert "apt install python3-picamera2" in found.remedy


def test_a_camera_that_does_not_answer_is_unknown_not_broken() -> None:
    answers = {Step("cameras"): Answer(error="no answer in time", untold=PATIENCE)}

    (found,) = cameras(answers)

    assert found.level is Level.UNKNOWN
    assert "--timeout" in found.remedy


def test_a_system_whose_python_does_not_answer_is_not_said_to_lack_picamera2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("picam_webrtc.doctor.camera.is_there", lambda _: False)
    system = tmp_path / "python3"

    (found,) = cameras({Step("cameras", python=str(system)): Answer(error=LATE, untold=PATIENCE)}, system)

    assert found.level is Level.UNKNOWN


def test_of_video_devices_nothing_is_said_where_there_are_none(tmp_path: Path) -> None:
    assert list(permissions(tmp_path)) == []


def test_a_user_who_may_not_use_a_device_is_told_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("video0", "media0", "media1"):
        (tmp_path / name).touch()
    (usable,) = permissions(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, _: path.name == "video0")  # root may all

    (refused,) = permissions(tmp_path)

    assert usable.level is Level.OK
    assert refused.level is Level.BROKEN
    assert f"{tmp_path}/media0 and 1 more" in refused.found
    assert "usermod --append --groups video" in refused.remedy

"""Paths as people write them become absolute ones, for every parameter that is one."""

from pathlib import Path

import pytest

from picam_webrtc.declaration import PathKind, Settings
from picam_webrtc.errors import SettingError
from picam_webrtc.paths import resolved, with_paths
from picam_webrtc.settings import CameraSettings, InferenceSettings, LaunchSettings, WebRtcSettings

PATHS = {
    "CameraSettings": {"video_file", "bag", "camera_python", "camera_socket", "tuning_file", "network"},
    "InferenceSettings": {"model", "labels", "delegate"},
    "WebRtcSettings": {"token_file", "tls_cert", "tls_key", "publish_token_file"},
    "LaunchSettings": {"params_file", "cameras", "record_to"},
}
"""camera_info_url is a URL, which `resolve_url` takes apart (test_calibration.py)."""


def share(package: str) -> Path:
    if package != "robot":
        raise LookupError(f"there is no ROS package {package}")
    return Path("/opt/share/robot")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/pi")
    monkeypatch.setenv("FILMS", "/srv/films")
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/srv/a.mp4", "/srv/a.mp4"),
        ("~/a.mp4", "/home/pi/a.mp4"),
        ("$HOME/a.mp4", "/home/pi/a.mp4"),
        ("${FILMS}/a.mp4", "/srv/films/a.mp4"),
        ("package://robot/films/a.mp4", "/opt/share/robot/films/a.mp4"),
        ("package://robot/films/my%20film.mp4", "/opt/share/robot/films/my film.mp4"),
        ("file:///srv/a.mp4", "/srv/a.mp4"),
        ("file://~/a.mp4", "/home/pi/a.mp4"),
    ],
)
@pytest.mark.parametrize("kind", PathKind)
def test_a_path_is_taken_as_it_is_written(written: str, path: str, kind: PathKind) -> None:
    assert resolved(written, share, kind) == path


def test_a_relative_path_is_one_from_the_working_directory(tmp_path: Path) -> None:
    assert resolved("a.mp4", share) == str(tmp_path / "a.mp4")
    assert resolved("./films/a.mp4", share, PathKind.PATH_OR_NAME) == str(tmp_path / "films/a.mp4")


def test_a_name_stays_one_unless_it_is_a_file_in_the_working_directory(tmp_path: Path) -> None:
    assert resolved("imx219_noir.json", share, PathKind.PATH_OR_NAME) == "imx219_noir.json"

    (tmp_path / "imx219_noir.json").touch()
    assert resolved("imx219_noir.json", share, PathKind.PATH_OR_NAME) == str(tmp_path / "imx219_noir.json")


def test_a_variable_that_is_not_set_stays_to_be_seen(tmp_path: Path) -> None:
    assert resolved("$UNSET/a.mp4", share) == str(tmp_path / "$UNSET/a.mp4")


@pytest.mark.parametrize("settings", [CameraSettings, InferenceSettings, WebRtcSettings, LaunchSettings])
def test_every_parameter_that_is_a_path_is_declared_as_one(settings: type[Settings]) -> None:
    declared = {one.name for one in settings.declarations() if one.param.path is not None}

    assert declared == PATHS[settings.__name__]
    for name in declared:
        written = settings.from_values({name: "~/file"})
        assert getattr(with_paths(written, share), name) == "/home/pi/file"


def test_what_is_empty_stays_so() -> None:
    settings = CameraSettings(camera_python="")

    assert with_paths(settings, share) == settings


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("package://other/a.mp4", "there is no ROS package other"),
        ("package://robot", "must be package://package/path"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_the_parameter(written: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=f"'video_file' = '{written}': {complaint}"):
        with_paths(CameraSettings(video_file=written), share)

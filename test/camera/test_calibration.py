"""Calibrations: found behind their URLs, read and written as ROS's tools do, scaled to the size in use."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from picam_webrtc.camera.calibration import Calibration, CalibrationError, load, parse, resolve_url, store
from picam_webrtc.view import View
from picam_webrtc_test.camera.calibrations import AS_CAMERA_CALIBRATION_WRITES_IT

CALIBRATION = Calibration(
    width=640,
    height=480,
    distortion_model="plumb_bob",
    d=(0.1, -0.2, 0.001, 0.002, 0.0),
    k=(500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0),
    r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    p=(490.0, 0.0, 321.0, -30.0, 0.0, 505.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0),
)
ENVIRONMENT = {"ROS_HOME": "/robot/ros"}


def share(package: str) -> Path:
    return Path("/opt/share") / package


def test_a_file_of_ros_is_read() -> None:
    assert parse(AS_CAMERA_CALIBRATION_WRITES_IT) == CALIBRATION


def test_what_is_stored_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "yet.yaml"
    store(path, CALIBRATION, "front")

    assert load(path) == CALIBRATION
    assert yaml.safe_load(path.read_text()) == yaml.safe_load(AS_CAMERA_CALIBRATION_WRITES_IT)
    assert [file.name for file in path.parent.iterdir()] == ["yet.yaml"]


def test_k_and_p_grow_with_the_picture_and_the_rest_stays() -> None:
    """By hand; the middle moves with pixels' edges: (320 + 0.5) * 2 - 0.5 = 640.5."""
    scaled = CALIBRATION.scaled(1280, 960)

    assert scaled.k == (1000.0, 0.0, 640.5, 0.0, 1020.0, 480.5, 0.0, 0.0, 1.0)
    assert scaled.p == (980.0, 0.0, 642.5, -60.0, 0.0, 1010.0, 482.5, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert (scaled.d, scaled.r, scaled.width, scaled.height) == (CALIBRATION.d, CALIBRATION.r, 1280, 960)
    assert scaled.scaled(640, 480) == CALIBRATION


def test_a_size_of_nearly_the_same_shape_is_scaled_too() -> None:
    assert CALIBRATION.scaled(322, 240).k[0] == pytest.approx(251.6, abs=0.1)


def test_another_shape_is_another_view_and_refused() -> None:
    with pytest.raises(CalibrationError, match="calibrated at 640x480, which has another shape than 1280x720"):
        CALIBRATION.scaled(1280, 720)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("", "/robot/ros/camera_info/front.yaml"),
        ("file:///etc/cal.yaml", "/etc/cal.yaml"),
        ("FILE:///etc/my%20cal.yaml", "/etc/my cal.yaml"),
        ("file://${ROS_HOME}/${NAME}/cal.yaml", "/robot/ros/front/cal.yaml"),
        ("file://$ROS_TEST_CALIBRATIONS/cal.yaml", "/calibrations/cal.yaml"),
        ("package://robot_config/cal/${NAME}.yaml", "/opt/share/robot_config/cal/front.yaml"),
        ("/etc/${NAME}.yaml", "/etc/front.yaml"),
        ("~/cal.yaml", str(Path.home() / "cal.yaml")),
        ("cal.yaml", str(Path.cwd() / "cal.yaml")),
    ],
)
def test_urls_lead_to_files(url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_TEST_CALIBRATIONS", "/calibrations")
    assert resolve_url(url, "front", share, ENVIRONMENT) == Path(path)


def test_without_ros_home_it_is_in_the_users_home() -> None:
    assert resolve_url("", "front", share, {}) == Path.home() / ".ros/camera_info/front.yaml"


@pytest.mark.parametrize("url", ["http://example.com/cal.yaml", "file://cal.yaml"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(CalibrationError, match=f"camera_info_url '{url}' must be file:///path or package://"):
        resolve_url(url, "front", share, ENVIRONMENT)


def test_a_package_url_without_a_path_is_refused() -> None:
    with pytest.raises(CalibrationError, match="camera_info_url 'package://only': must be package://package/path"):
        resolve_url("package://only", "front", share, ENVIRONMENT)


def test_numbers_as_python_and_opencv_write_them_are_taken() -> None:
    """YAML 1.1, and so PyYAML, takes a number with an exponent and no dot for a text."""
    text = AS_CAMERA_CALIBRATION_WRITES_IT.replace("0.001, 0.002", "1e-05, -2E-4").replace("[500.0, 0.0", "[5e2, 0")
    assert yaml.safe_load(text)["distortion_coefficients"]["data"][2] == "1e-05"

    calibration = parse(text)
    assert calibration.d[2:4] == (0.00001, -0.0002)
    assert calibration.k[0] == 500.0
    assert parse(calibration.to_yaml("front")) == calibration


@pytest.mark.parametrize("wrong", ["true", ".nan", ".inf", "ten", "[1]"])
def test_what_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(CalibrationError, match="distortion_coefficients has no list of numbers as its data: "):
        parse(AS_CAMERA_CALIBRATION_WRITES_IT.replace("0.001", wrong))


def test_what_a_calibration_is_of_is_kept_in_its_file() -> None:
    view = View((4608, 2592), (768, 432, 3072, 1728), (0, 0, 4608, 2592), hflip=True, orientation=90)
    text = replace(CALIBRATION, view=view).to_yaml("front")

    assert parse(text).view == view
    assert yaml.safe_load(text)["sensor_view"]["crop"] == [768, 432, 3072, 1728]


@pytest.mark.parametrize(
    "view",
    [
        "3",
        "{}",
        "{pixel_array: [1, 2], crop: [1, 2, 3], whole: [0, 0, 1, 1], hflip: false, vflip: false, orientation: 0}",
        "{pixel_array: [8, 8], crop: [0, 0, 0, 0], whole: [0, 0, 1, 1], hflip: false, vflip: false, orientation: 0}",
        "{pixel_array: [8, 8], crop: [0, 0, 8, 8], whole: [0, 0, 8, 8], hflip: false, vflip: false, orientation: 45}",
    ],
)
def test_a_view_that_cannot_be_is_refused(view: str) -> None:
    with pytest.raises(CalibrationError, match="sensor_view is not understood"):
        parse(f"{AS_CAMERA_CALIBRATION_WRITES_IT}sensor_view: {view}\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "not YAML"),
        ("just text", "holds no calibration"),
        ("{}", "camera_matrix has no list of numbers"),
        (AS_CAMERA_CALIBRATION_WRITES_IT.replace("640", "0", 1), "image_width must be a positive number"),
        (AS_CAMERA_CALIBRATION_WRITES_IT.replace("image_height: 480", ""), "image_height must be a positive"),
        (AS_CAMERA_CALIBRATION_WRITES_IT.replace("[500.0, ", "["), "camera_matrix has 8 numbers, not 9"),
        (AS_CAMERA_CALIBRATION_WRITES_IT.replace("[0.1", "[none"), "distortion_coefficients has no list of numbers"),
    ],
)
def test_a_broken_file_is_refused_naming_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "cal.yaml"
    path.write_text(text)

    with pytest.raises(CalibrationError, match=complaint) as refused:
        load(path)
    assert str(refused.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"nothing\.yaml: .*No such file"):
        load(tmp_path / "nothing.yaml")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CalibrationError, match=r"cal\.yaml: "):
        store(tmp_path / "file" / "cal.yaml", CALIBRATION, "front")

"""camera_info and image_rect of a camera whose sensor mode, crop and turn are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sensor_msgs.msg import CameraInfo, Image

from picam_webrtc.camera.calibration import Calibration
from picam_webrtc.ros.topics.messages import calibration_from_message
from picam_webrtc.view import View
from picam_webrtc_test.camera.fake_picamera2 import FakePicamera2
from picam_webrtc_test.camera.libcamera_tables import IMX708
from picam_webrtc_test.camera.world import POINTS, followed, project, whole_sensor
from picam_webrtc_test.ros.robot import call_set_camera_info, robot
from picam_webrtc_test.ros.support import wait_until

WHOLE = whole_sensor(IMX708)


@pytest.fixture
def calibration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    (tmp_path / "camera_info").mkdir()
    return tmp_path / "camera_info" / "camera.yaml"


def as_image_geometry_reads_it(info: CameraInfo) -> tuple[float, ...]:
    """K of the picture, as image_geometry's PinholeCameraModel::fromCameraInfo makes it (vision_opencv, rolling):
    the region of interest is taken off and then the binning, where the message has them."""
    k = list(info.k)
    binning_x, binning_y = max(1, info.binning_x), max(1, info.binning_y)
    roi = info.roi
    if (
        roi.x_offset
        or roi.y_offset
        or (roi.width and roi.width < info.width)
        or (roi.height and roi.height < info.height)
    ):
        k[2] -= roi.x_offset
        k[5] -= roi.y_offset
    return k[0] / binning_x, k[2] / binning_x, k[4] / binning_y, k[5] / binning_y


@pytest.mark.parametrize("orientation", [0, 90])
def test_camera_info_follows_mode_crop_and_turn(calibration_file: Path, orientation: int) -> None:
    calibration_file.write_text(WHOLE.to_yaml("camera"))
    parameters = ("-p", "sensor_mode:=full", "-p", "crop:='1000,500,2304,1728'", "-p", f"orientation:={orientation}")
    with robot(*parameters) as one:
        info = one.next(one.listen(CameraInfo, "camera_info"))
        image = one.next(one.listen(Image, "image_raw"))

    size = (640, 480) if orientation == 0 else (480, 640)
    assert (info.width, info.height) == (image.width, image.height) == size
    assert (info.roi.width, info.roi.height, info.binning_x, info.binning_y) == (*size, 1, 1)
    fx, cx, fy, cy = as_image_geometry_reads_it(info)
    assert (fx, cx, fy, cy) == (info.k[0], info.k[2], info.k[4], info.k[5])
    point = POINTS[0]  # on the axis, where distortion does nothing
    expected = followed(project(WHOLE, point), (1000, 500, 2304, 1728), (640, 480), False, False, orientation)
    assert (cx, cy) == pytest.approx(expected)
    assert calibration_from_message(info).distortion_model == "plumb_bob"


def test_a_digital_zoom_changes_camera_info_from_frame_to_frame(calibration_file: Path) -> None:
    calibration_file.write_text(WHOLE.to_yaml("camera"))
    with robot("-p", "sensor_mode:=full") as one:
        infos = one.listen(CameraInfo, "camera_info")
        before = one.next(infos)
        assert one.set(ScalerCrop=[1440, 864, 1728, 1296])[0].successful  # half of 3456 x 2592
        wait_until(lambda: one.next(infos).k[0] == pytest.approx(2 * before.k[0]), "twice the focal length")


def unlike(width: int, height: int) -> Calibration:
    """One that does not tell what it is of."""
    k = (900.0, 0.0, width / 2, 0.0, 900.0, height / 2, 0.0, 0.0, 1.0)
    p = (900.0, 0.0, width / 2, 0.0, 0.0, 900.0, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0)
    return Calibration(width, height, "plumb_bob", (0.0,) * 5, k, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0), p)


@pytest.mark.parametrize(
    ("width", "height", "focal"),
    [
        (640, 480, 900.0),  # the picture in use: taken as it is
        (4608, 2592, 900.0 * 640 / 2304),  # the whole sensor: 640 px show 2304 of its pixels
        (1280, 960, 0.0),  # another size of the same shape, in whatever mode: not known
        (1920, 1080, 0.0),
    ],
)
def test_a_calibration_that_does_not_tell_is_used_where_its_size_tells(
    calibration_file: Path, width: int, height: int, focal: float, capfd: pytest.CaptureFixture[str]
) -> None:
    calibration_file.write_text(unlike(width, height).to_yaml("camera"))
    with robot() as one:
        info = one.next(one.listen(CameraInfo, "camera_info"))

    assert info.k[0] == pytest.approx(focal)
    complaint = f"uncalibrated at 640x480: calibrated at {width}x{height} in a sensor mode and crop that are not known"
    assert (complaint in capfd.readouterr().err) == (focal == 0)


def test_a_calibration_of_another_sensor_is_not_used(calibration_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = View((3280, 2464), (0, 0, 3280, 2464), (0, 0, 3280, 2464))
    content = yaml.safe_load(unlike(640, 480).to_yaml("camera"))
    content["sensor_view"] = yaml.safe_load(
        Calibration(640, 480, "plumb_bob", (), (1.0,) * 9, (1.0,) * 9, (1.0,) * 12, other).to_yaml("x")
    )["sensor_view"]
    calibration_file.write_text(yaml.safe_dump(content))
    with robot() as one:
        assert one.next(one.listen(CameraInfo, "camera_info")).k[0] == 0

    assert "calibrated with a sensor of 3280x2464 pixels, and this one has 4608x2592" in capfd.readouterr().err


def test_a_calibration_that_is_set_is_noted_with_its_mode_and_used_in_others(calibration_file: Path) -> None:
    with robot() as one:
        infos = one.listen(CameraInfo, "camera_info")
        one.next(infos)
        message = CameraInfo(width=640, height=480, distortion_model="plumb_bob", d=[0.0] * 5)
        message.k, message.p = unlike(640, 480).k, unlike(640, 480).p
        message.r = unlike(640, 480).r
        assert call_set_camera_info(one, message).success
    assert yaml.safe_load(calibration_file.read_text())["sensor_view"] == {
        "pixel_array": [4608, 2592],
        "crop": [1152, 432, 2304, 1728],
        "whole": [1152, 432, 2304, 1728],
        "hflip": False,
        "vflip": False,
        "orientation": 0,
    }
    with robot("-p", "sensor_mode:=full") as again:
        info = again.next(again.listen(CameraInfo, "camera_info"))

    assert info.k[0] == pytest.approx(900 * 2304 / 3456)  # 640 px show 3456 of the sensor's pixels now
    assert info.k[2] == pytest.approx((320 + 0.5) / 640 * 2304 / 3456 * 640 + 576 / 3456 * 640 - 0.5)


def test_a_rectified_image_is_made_while_somebody_subscribes(calibration_file: Path) -> None:
    calibration_file.write_text(WHOLE.to_yaml("camera"))
    with robot("-p", "lores_width:=320", "-p", "lores_height:=240") as one:
        raw, rectified = one.listen(Image, "image_raw"), one.listen(Image, "image_rect")
        small = one.listen(Image, "lores/image_rect")
        one.next(rectified)
        one.next(small)
        wait_until(
            lambda: one._frame() and rectified[-1].header.stamp in [image.header.stamp for image in raw], "its original"
        )

    picture: Any = rectified[-1]
    assert (picture.width, picture.height, picture.encoding) == (640, 480, "bgr8")
    assert (small[-1].width, small[-1].height, small[-1].encoding) == (320, 240, "nv12")


def test_without_a_calibration_there_is_no_rectified_image(
    calibration_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with robot() as one:
        raw, rectified = one.listen(Image, "image_raw"), one.listen(Image, "image_rect")
        said = [""]

        def complained() -> bool:
            one.next(raw)
            said.append(capfd.readouterr().err)
            return "No rectified images: the camera is not calibrated for 640x480" in "".join(said)

        wait_until(complained, "the complaint")
        for _ in range(3):
            one.next(raw)

    assert rectified == []
    assert "No rectified images" not in capfd.readouterr().err


def test_nothing_is_rectified_for_nobody(calibration_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibration_file.write_text(WHOLE.to_yaml("camera"))
    monkeypatch.setattr("picam_webrtc.camera.rectify.Rectifier.__call__", lambda *_: pytest.fail("rectified"))
    with robot(device=FakePicamera2()) as one:
        raw = one.listen(Image, "image_raw")
        for _ in range(3):
            one.next(raw)
        assert np.frombuffer(raw[-1].data, np.uint8).size == 640 * 480 * 3

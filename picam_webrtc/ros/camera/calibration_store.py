"""A camera's calibration as ROS knows it: a file behind a URL, and the service that replaces it."""

from dataclasses import replace
from pathlib import Path

from rclpy.node import Node
from sensor_msgs.srv import SetCameraInfo

from picam_webrtc.camera.calibration import Calibration, CalibrationError, load, resolve_url, store
from picam_webrtc.frame import Frame
from picam_webrtc.ros.process.packages import package_share
from picam_webrtc.ros.topics.messages import calibration_from_message
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import Size, View

KEPT_VIEWS = 8
"""Calibrations that are kept worked out; a digital zoom asks for a new one at each step."""


class CalibrationStore:
    """Reads the calibration once, works out what it is for each picture, and offers `set_camera_info`.

    Whatever is wrong with it is said once, and the camera is then uncalibrated.
    """

    def __init__(self, node: Node, settings: CameraSettings) -> None:
        self._node = node
        self._settings = settings
        self._path: Path | None = None
        self._calibration: Calibration | None = None
        self._worked_out: dict[tuple[Size, View | None], Calibration | None] = {}
        self._main: tuple[Size, View] | None = None
        self._said: set[str] = set()
        self._load()
        self._service = node.create_service(SetCameraInfo, "set_camera_info", self._on_set)

    def observe_main(self, frame: Frame) -> None:
        """Learn from the newest frame of the main stream what a calibration of its size is of."""
        if frame.view is not None:
            self._main = (frame.width, frame.height), frame.view

    def for_frame(self, frame: Frame) -> Calibration | None:
        """The calibration for the picture that `frame` is; None for an uncalibrated camera."""
        key = (frame.width, frame.height), frame.view
        if key not in self._worked_out:
            if len(self._worked_out) >= KEPT_VIEWS:
                self._worked_out = {}
            self._worked_out[key] = self._work_out(*key)
        return self._worked_out[key]

    def _load(self) -> None:
        try:
            self._path = resolve_url(self._settings.camera_info_url, self._settings.camera_name, package_share)
            if not self._settings.camera_info_url and not self._path.exists():
                self._node.get_logger().info(f"Camera is not calibrated: there is no {self._path}")
                return
            self._calibration = load(self._path)
        except CalibrationError as error:
            self._node.get_logger().warning(f"Camera is uncalibrated: {error}")

    def _work_out(self, size: Size, view: View | None) -> Calibration | None:
        try:
            return self._calibration and self._for_picture(self._calibration, size, view)
        except CalibrationError as error:
            complaint = f"Camera is uncalibrated at {size[0]}x{size[1]}: {error}"
            if complaint not in self._said:
                self._said.add(complaint)
                self._node.get_logger().warning(complaint)
            return None

    def _for_picture(self, calibration: Calibration, size: Size, view: View | None) -> Calibration:
        """Raises CalibrationError where it cannot be told."""
        if view is None:  # no sensor whose modes could differ
            return calibration.scaled(*size)
        if calibration.view is None:
            calibration = replace(calibration, view=self._presumed_view(calibration, size, view))
        return calibration.seen_in(view, *size)

    def _presumed_view(self, calibration: Calibration, size: Size, view: View) -> View | None:
        """What a calibration is of that does not tell, where its size tells: a picture in use, without digital zoom,
        or the whole sensor; with the flips and the turn in use."""
        calibrated = calibration.width, calibration.height
        main_size, main_view = self._main or (size, view)
        for picture, shown in ((main_size, main_view), (size, view)):
            if calibrated == picture:
                return shown.unzoomed()
        whole = (0, 0, *view.pixel_array)
        for orientation in (view.orientation, 0):
            turned = view.pixel_array if orientation % 180 == 0 else view.pixel_array[::-1]
            if calibrated == turned:
                return replace(view, crop=whole, whole=whole, orientation=orientation)
        return None

    def _on_set(self, request: SetCameraInfo.Request, response: SetCameraInfo.Response) -> SetCameraInfo.Response:
        try:
            self._replace(calibration_from_message(request.camera_info))
        except CalibrationError as error:
            response.success, response.status_message = False, str(error)
        else:
            response.success, response.status_message = True, f"stored in {self._path}"
            self._node.get_logger().info(f"Calibration stored in {self._path}")
        return response

    def _replace(self, calibration: Calibration) -> None:
        if not calibration.width or not calibration.height:
            raise CalibrationError("width and height of the calibrated picture are missing")
        if self._main is not None and self._main[0] == (calibration.width, calibration.height):
            calibration = replace(calibration, view=self._main[1])
        size, view = self._main or (self._asked_size, None)
        self._for_picture(calibration, size, view)
        path = resolve_url(self._settings.camera_info_url, self._settings.camera_name, package_share)
        store(path, calibration, self._settings.camera_name)
        self._path, self._calibration, self._worked_out, self._said = path, calibration, {}, set()

    @property
    def _asked_size(self) -> Size:
        size = self._settings.width, self._settings.height
        return size if self._settings.orientation % 180 == 0 else size[::-1]

    def close(self) -> None:
        self._node.destroy_service(self._service)

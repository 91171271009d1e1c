"""A camera's calibration as ROS knows it: a file behind a URL, and the service that replaces it."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.node import Node
from sensor_msgs.srv import SetCameraInfo

from picam_webrtc.camera.calibration import Calibration, CalibrationError, load, resolve_url, store
from picam_webrtc.ros.topics.messages import calibration_from_message
from picam_webrtc.settings import CameraSettings


class CalibrationStore:
    """Reads the calibration once, scales it to the sizes in use, and offers `set_camera_info`.

    Whatever is wrong with it is said once, and the camera is then uncalibrated.
    """

    def __init__(self, node: Node, settings: CameraSettings) -> None:
        self._node = node
        self._settings = settings
        self._path: Path | None = None
        self._calibration: Calibration | None = None
        self._scaled: dict[tuple[int, int], Calibration | None] = {}
        self._load()
        self._service = node.create_service(SetCameraInfo, "set_camera_info", self._on_set)

    def for_size(self, width: int, height: int) -> Calibration | None:
        """The calibration at that picture size [px]; None for an uncalibrated camera."""
        size = width, height
        if size not in self._scaled:
            self._scaled[size] = self._scale(width, height)
        return self._scaled[size]

    def _load(self) -> None:
        try:
            self._path = resolve_url(self._settings.camera_info_url, self._settings.camera_name, _package_share)
            if not self._settings.camera_info_url and not self._path.exists():
                self._node.get_logger().info(f"Camera is not calibrated: there is no {self._path}")
                return
            self._calibration = load(self._path)
        except CalibrationError as error:
            self._node.get_logger().warning(f"Camera is uncalibrated: {error}")

    def _scale(self, width: int, height: int) -> Calibration | None:
        try:
            return self._calibration and self._calibration.scaled(width, height)
        except CalibrationError as error:
            self._node.get_logger().warning(f"Camera is uncalibrated at {width}x{height}: {error}")
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
        calibration.scaled(self._settings.width, self._settings.height)
        path = resolve_url(self._settings.camera_info_url, self._settings.camera_name, _package_share)
        store(path, calibration, self._settings.camera_name)
        self._path, self._calibration, self._scaled = path, calibration, {}

    def close(self) -> None:
        self._node.destroy_service(self._service)


def _package_share(package: str) -> Path:
    try:
        return Path(get_package_share_directory(package))
    except (OSError, ValueError, PackageNotFoundError) as error:
        raise CalibrationError(f"camera_info_url: there is no package {package}") from error

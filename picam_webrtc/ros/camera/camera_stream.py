"""The topics of one camera stream: the image, its compressed and rectified twins, and the camera_info of all three."""

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage

from picam_webrtc.camera.jpeg import JpegEncoder
from picam_webrtc.camera.rectify import Rectifier
from picam_webrtc.errors import ImageError, PicamWebrtcError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.camera.calibration_store import CalibrationStore
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.image_io import ImagePublisher, LocalTopics
from picam_webrtc.ros.topics.messages import camera_info_message, compressed_message


class CameraStream:
    """`<prefix>image_raw`, its `/compressed`, `<prefix>image_rect` and `<prefix>camera_info`, with the frame's stamp.

    Each is made only while somebody subscribes to it.
    """

    def __init__(
        self,
        node: Node,
        prefix: str,
        local: LocalTopics,
        calibrations: CalibrationStore,
        jpeg_quality: Callable[[], int],
        on_change: Callable[[], None],
    ) -> None:
        self._node = node
        self._calibrations = calibrations
        self._jpeg_quality = jpeg_quality
        self._jpeg = JpegEncoder()
        self._rectify = Rectifier()
        self._complaints: set[str] = set()
        self._images = ImagePublisher(node, f"{prefix}image_raw", local, lambda _: on_change())
        self._rectified = ImagePublisher(node, f"{prefix}image_rect", local, lambda _: on_change())
        self._compressed = GatedPublisher(node, CompressedImage, f"{prefix}image_raw/compressed", on_change)
        self._infos = GatedPublisher(node, CameraInfo, f"{prefix}camera_info", on_change)

    @property
    def demanded(self) -> bool:
        topics = (self._images, self._rectified, self._compressed, self._infos)
        return any(topic.demanded for topic in topics)

    def publish(self, frame: Frame) -> None:
        """Hand `frame` to whoever listens; on the capture thread."""
        self._images.publish(frame)
        self._infos.publish(lambda: camera_info_message(frame, self._calibrations.for_frame(frame)))
        try:
            self._compressed.publish(lambda: compressed_message(frame, self._jpeg.encode(frame, self._jpeg_quality())))
        except ImageError as error:
            self._complain(f"No compressed images: {error}")
        if self._rectified.demanded:
            self._publish_rectified(frame)

    def _publish_rectified(self, frame: Frame) -> None:
        calibration = self._calibrations.for_frame(frame)
        if calibration is None:
            self._complain(f"No rectified images: the camera is not calibrated for {frame.width}x{frame.height}")
            return
        try:
            self._rectified.publish(self._rectify(frame, calibration))
        except PicamWebrtcError as error:
            self._complain(f"No rectified images: {error}")

    def _complain(self, complaint: str) -> None:
        if complaint not in self._complaints:  # once, not at 30 Hz
            self._complaints.add(complaint)
            self._node.get_logger().error(complaint)

    def close(self) -> None:
        self._images.close()
        self._rectified.close()
        self._compressed.close()
        self._infos.close()

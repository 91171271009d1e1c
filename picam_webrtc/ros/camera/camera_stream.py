"""The topics of one camera stream: the image, its compressed twin, and the camera_info that goes with both."""

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage

from picam_webrtc.camera.jpeg import JpegEncoder
from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.camera.calibration_store import CalibrationStore
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.image_io import ImagePublisher, LocalTopics
from picam_webrtc.ros.topics.messages import camera_info_message, compressed_message


class CameraStream:
    """`<prefix>image_raw`, `<prefix>image_raw/compressed` and `<prefix>camera_info`, all with the frame's stamp."""

    def __init__(
        self,
        node: Node,
        prefix: str,
        local: LocalTopics,
        calibrations: CalibrationStore,
        jpeg_quality: Callable[[], int],
        on_change: Callable[[], None],
    ) -> None:
        self._calibrations = calibrations
        self._jpeg_quality = jpeg_quality
        self._jpeg = JpegEncoder()
        self._complain = Complaint(lambda text: node.get_logger().error(f"No compressed images: {text}"))
        self._images = ImagePublisher(node, f"{prefix}image_raw", local, on_change)
        self._compressed = GatedPublisher(node, CompressedImage, f"{prefix}image_raw/compressed", on_change)
        self._infos = GatedPublisher(node, CameraInfo, f"{prefix}camera_info", on_change)

    @property
    def demanded(self) -> bool:
        return self._images.demanded or self._compressed.demanded or self._infos.demanded

    def publish(self, frame: Frame) -> None:
        """Hand `frame` to whoever listens; on the capture thread."""
        self._images.publish(frame)
        self._infos.publish(lambda: camera_info_message(frame, self._calibrations.for_size(frame.width, frame.height)))
        try:
            self._compressed.publish(lambda: compressed_message(frame, self._jpeg.encode(frame, self._jpeg_quality())))
        except ImageError as error:
            self._complain(error)

    def close(self) -> None:
        self._images.close()
        self._compressed.close()
        self._infos.close()

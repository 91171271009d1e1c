"""The topics of one camera stream: the image, its compressed and rectified twins, and the camera_info of all three."""

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage

from picam_webrtc.camera.jpeg import JpegEncoder
from picam_webrtc.camera.rectify import Rectifier
from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import CameraError, PicamWebrtcError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.camera.calibration_store import CalibrationStore
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.image_io import ImagePublisher, LocalTopics
from picam_webrtc.ros.topics.messages import camera_info_message, compressed_message
from picam_webrtc.ros.topics.siblings import topic_name


class CameraStream:
    """`<prefix>image_raw`, its `/compressed`, `<prefix>image_rect` and `<prefix>camera_info`, with the frame's stamp.

    Each is made only while somebody subscribes to it. Where a remap sends the image, the others go along.
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
        self._calibrations = calibrations
        self._jpeg_quality = jpeg_quality
        self._jpeg = JpegEncoder()
        self._rectify = Rectifier()
        self._complain_of_rectified = Complaint(lambda text: node.get_logger().error(f"No rectified images: {text}"))
        self._images = ImagePublisher(node, f"{prefix}image_raw", local, on_change)
        self._rectified = ImagePublisher(node, topic_name(node, f"{prefix}image_rect"), local, on_change)
        compressed = topic_name(node, f"{prefix}image_raw/compressed")
        self._compressed = GatedPublisher(node, CompressedImage, compressed, on_change, newest_when_slow=True)
        self._infos = GatedPublisher(node, CameraInfo, topic_name(node, f"{prefix}camera_info"), on_change)

    @property
    def _topics(self) -> tuple[ImagePublisher | GatedPublisher[CompressedImage] | GatedPublisher[CameraInfo], ...]:
        return self._infos, self._images, self._compressed, self._rectified

    @property
    def demanded(self) -> bool:
        return any(topic.demanded for topic in self._topics)

    @property
    def dropped(self) -> dict[str, int]:
        """Of each topic by its full name, what was left out because it is slow."""
        return {topic.topic: topic.dropped for topic in self._topics}

    def publish(self, frame: Frame) -> None:
        """Hand `frame` to whoever listens; on the capture thread."""
        # First what is small, so that it is on its way when the picture comes.
        if self._infos.demanded:
            calibration = self._calibrations.for_frame(frame)
            self._infos.publish(lambda: camera_info_message(frame, calibration))
        self._images.publish(frame)
        self._compressed.publish(lambda: compressed_message(frame, self._jpeg.encode(frame, self._jpeg_quality())))
        if self._rectified.demanded:
            self._publish_rectified(frame)

    def _publish_rectified(self, frame: Frame) -> None:
        try:
            calibration = self._calibrations.for_frame(frame)
            if calibration is None:
                raise CameraError(f"the camera is not calibrated for {frame.width}x{frame.height}")
            self._rectified.publish(self._rectify(frame, calibration))
        except PicamWebrtcError as error:
            self._complain_of_rectified(error)

    def finish(self) -> None:
        """As that of GatedPublisher."""
        for topic in self._topics:
            topic.finish()

    def close(self) -> None:
        self.finish()
        for topic in self._topics:
            topic.close()

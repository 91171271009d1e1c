"""Detections as JSON on a topic (std_msgs/String), which needs no message package that a robot may lack."""

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import String

from picam_webrtc.complaint import Complaint
from picam_webrtc.detection import Detections
from picam_webrtc.detection_json import detections_from_json, detections_json
from picam_webrtc.errors import MalformedDetections
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.qos import OVERRIDABLE, reliable_qos
from picam_webrtc.ros.topics.siblings import beside

TOPIC = "detections_json"


class DetectionsPublisher(GatedPublisher[String]):
    """Calls `on_change()` on the thread that spins the node whenever `demanded` may have changed."""

    def __init__(self, node: Node, on_change: Callable[[], None]) -> None:
        super().__init__(node, String, TOPIC, on_change)

    def publish_detections(self, detections: Detections) -> None:
        """From any thread."""
        self.publish(lambda: String(data=detections_json(detections)))


class DetectionsSubscription:
    """Made and closed on the thread that spins the node, where `on_detections` is called, too."""

    def __init__(self, node: Node, topic: str, on_detections: Callable[[Detections], None]) -> None:
        self._node = node
        self._on_detections = on_detections
        self._complain = Complaint(lambda text: node.get_logger().error(f"{topic}: {text}"))
        self._subscription = node.create_subscription(
            String, topic, self._on_message, reliable_qos(), qos_overriding_options=OVERRIDABLE
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: String) -> None:
        try:
            detections = detections_from_json(message.data)
        except MalformedDetections as error:
            self._complain(error)
            return
        self._on_detections(detections)


def detections_topic_of(image_topic: str) -> str:
    """The topic beside an image topic: `/front/image_raw` has `/front/detections_json`."""
    return beside(image_topic, TOPIC)

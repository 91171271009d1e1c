"""Detections as vision_msgs, for robot nodes, where that package is installed."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from rclpy.node import Node

from picam_webrtc.detection import Detection, Detections
from picam_webrtc.inference.labels import Labels
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.messages import header
from picam_webrtc.ros.topics.qos import OVERRIDABLE, latched_qos

VISION_MSGS: ModuleType | None
try:
    import vision_msgs.msg

    VISION_MSGS = vision_msgs.msg
except ImportError:
    VISION_MSGS = None

DETECTIONS_TOPIC = "detections"
LABELS_TOPIC = "label_info"

MAX_CLASS_ID = 65_534
"""VisionClass counts in 16 bits, the highest of which means "unlabeled"."""


class VisionPublisher:
    """The topics `detections` and `label_info`. `on_change()` is called on the thread that spins the node."""

    def __init__(self, node: Node, messages: ModuleType, on_change: Callable[[], None]) -> None:
        self._node = node
        self._messages = messages
        self._published: tuple[Labels, float] | None = None
        self._detections = GatedPublisher(node, messages.Detection2DArray, DETECTIONS_TOPIC, on_change)
        self._labels = node.create_publisher(
            messages.LabelInfo, LABELS_TOPIC, latched_qos(), qos_overriding_options=OVERRIDABLE
        )

    @property
    def topic(self) -> str:
        """That of the detections, by its full name."""
        return self._detections.topic

    @property
    def demanded(self) -> bool:
        return self._detections.demanded

    @property
    def dropped(self) -> int:
        """Messages that were left out because the topic is slow."""
        return self._detections.dropped

    def publish(self, detections: Detections, class_ids: str) -> None:
        """From any thread; `class_ids` is the parameter of that name."""
        self._detections.publish(lambda: detections_message(self._messages, detections, class_ids))

    def publish_labels(self, labels: Labels, threshold: float) -> None:
        """Latch the model's classes, when they or the threshold have changed."""
        if self._published != (labels, threshold):
            self._published = labels, threshold
            message = label_message(self._messages, labels, threshold)
            message.header.stamp = self._node.get_clock().now().to_msg()
            self._labels.publish(message)

    def finish(self) -> None:
        """As that of GatedPublisher."""
        self._detections.finish()

    def close(self) -> None:
        self._detections.close()
        self._node.destroy_publisher(self._labels)


def make_vision_publisher(node: Node, on_change: Callable[[], None]) -> VisionPublisher | None:
    """None, and a line in the log, where vision_msgs is not installed."""
    if VISION_MSGS is None:
        text = f"vision_msgs is not installed: no topic {DETECTIONS_TOPIC}; detections_json has the same"
        node.get_logger().info(text)
        return None
    return VisionPublisher(node, VISION_MSGS, on_change)


def detections_message(messages: ModuleType, detections: Detections, class_ids: str) -> Any:
    """A Detection2DArray with the header of the picture they were found in."""
    picture = header(detections.stamp_ns, detections.frame_id)
    items = [_detection_message(messages, item, class_ids) for item in detections.items]
    for item in items:
        item.header = picture
    return messages.Detection2DArray(header=picture, detections=items)


def _detection_message(messages: ModuleType, item: Detection, class_ids: str) -> Any:
    result = messages.ObjectHypothesisWithPose()
    result.hypothesis.class_id = str(item.class_id) if class_ids == "number" else item.label
    result.hypothesis.score = item.score
    message = messages.Detection2D(results=[result])
    message.bbox.center.position.x, message.bbox.center.position.y = item.bbox.center
    message.bbox.size_x, message.bbox.size_y = item.bbox.width, item.bbox.height
    return message


def label_message(messages: ModuleType, labels: Labels, threshold: float) -> Any:
    """A LabelInfo of the classes that have names."""
    named = sorted((number, name) for number, name in labels.names.items() if 0 <= number <= MAX_CLASS_ID)
    classes = [messages.VisionClass(class_id=number, class_name=name) for number, name in named]
    return messages.LabelInfo(class_map=classes, threshold=threshold)

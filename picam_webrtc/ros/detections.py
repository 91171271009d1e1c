"""Detections as JSON on a topic (std_msgs/String), which needs no message package that a robot may lack.

    {"header": {"stamp": {"sec": 1, "nanosec": 2}, "frame_id": "camera_optical_frame"},
     "width": 1280, "height": 720, "inference_ms": 17.6, "drawn": true,
     "detections": [{"class_id": 17, "label": "cat", "score": 0.85, "bbox": {"x0": .., "y0": .., "x1": .., "y1": ..},
                     "keypoints": [{"name": "nose", "x": .., "y": .., "score": ..}]}]}

The header is the source picture's; boxes and points are in its pixels. `drawn` says whether image_processed shows
them already. A picture in which nothing was found has a message with an empty list.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from std_msgs.msg import String

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.qos import detections_qos

TOPIC = "detections_json"
NANOSECONDS = 1_000_000_000
NS_PER_MS = 1_000_000


class MalformedDetections(PicamWebrtcError):
    """A text that is no message of this kind."""


def detections_text(detections: Detections) -> str:
    sec, nanosec = divmod(detections.stamp_ns, NANOSECONDS)
    return json.dumps(
        {
            "header": {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": detections.frame_id},
            "width": detections.width,
            "height": detections.height,
            "inference_ms": detections.inference_ns / NS_PER_MS,
            "drawn": detections.drawn,
            "detections": [asdict(item) for item in detections.items],
        }
    )


def detections_from_text(text: str) -> Detections:
    """Raises MalformedDetections."""
    try:
        message = json.loads(text)
        stamp = message["header"]["stamp"]
        return Detections(
            stamp_ns=stamp["sec"] * NANOSECONDS + stamp["nanosec"],
            frame_id=message["header"]["frame_id"],
            width=int(message["width"]),
            height=int(message["height"]),
            items=tuple(_detection(item) for item in message["detections"]),
            inference_ns=round(message["inference_ms"] * NS_PER_MS),
            drawn=bool(message["drawn"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedDetections(f"no detections in JSON: {type(error).__name__}: {error}") from error


def _detection(item: dict[str, Any]) -> Detection:
    return Detection(
        class_id=int(item["class_id"]),
        label=str(item["label"]),
        score=float(item["score"]),
        bbox=BoundingBox(**item["bbox"]),
        keypoints=tuple(Keypoint(**point) for point in item.get("keypoints", ())),
    )


class DetectionsPublisher:
    """Publishes while somebody subscribes. `on_demand` is called on the thread that spins the node."""

    def __init__(self, node: Node, on_demand: Callable[[bool], None]) -> None:
        self._node = node
        self._on_demand = on_demand
        self.demanded = False
        self._publisher = node.create_publisher(
            String, TOPIC, detections_qos(), event_callbacks=PublisherEventCallbacks(matched=self._on_matched)
        )

    def publish(self, detections: Detections) -> None:
        """From any thread."""
        if self.demanded:
            self._publisher.publish(String(data=detections_text(detections)))

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)

    def _on_matched(self, event: "object") -> None:
        demanded = event.current_count > 0  # type: ignore[attr-defined]
        if demanded != self.demanded:
            self.demanded = demanded
            self._on_demand(demanded)


class DetectionsSubscription:
    """Made and closed on the thread that spins the node, where `on_detections` is called, too."""

    def __init__(self, node: Node, topic: str, on_detections: Callable[[Detections], None]) -> None:
        self._node = node
        self._topic = topic
        self._on_detections = on_detections
        self._complaint = ""
        self._subscription = node.create_subscription(String, topic, self._on_message, detections_qos())

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: String) -> None:
        try:
            detections = detections_from_text(message.data)
        except MalformedDetections as error:
            if str(error) != self._complaint:  # once, not at 30 Hz
                self._complaint = str(error)
                self._node.get_logger().error(f"{self._topic}: {error}")
            return
        self._on_detections(detections)


def detections_topic_of(image_topic: str) -> str:
    """The topic beside an image topic: `/front/image_raw` has `/front/detections_json`."""
    namespace, separator, _ = image_topic.rpartition("/")
    return f"{namespace}{separator}{TOPIC}"

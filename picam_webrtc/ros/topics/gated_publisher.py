"""A topic whose messages are made only for those who listen."""

from collections.abc import Callable
from typing import Generic, TypeVar

from rclpy.event_handler import PublisherEventCallbacks, QoSPublisherMatchedInfo
from rclpy.node import Node
from rclpy.qos import QoSProfile

from picam_webrtc.ros.topics.qos import OVERRIDABLE, reliable_qos

M = TypeVar("M")


class GatedPublisher(Generic[M]):
    """Calls `on_change()` on the thread that spins the node whenever `demanded` may have changed."""

    def __init__(
        self,
        node: Node,
        message_type: type[M],
        topic: str,
        on_change: Callable[[], None],
        qos: QoSProfile | None = None,
    ) -> None:
        """`qos` is `reliable_qos()` unless given."""
        self._node = node
        self._on_change = on_change
        self._subscribers = 0
        self._publisher = node.create_publisher(
            message_type,
            topic,
            qos or reliable_qos(),
            event_callbacks=PublisherEventCallbacks(matched=self._on_matched),
            qos_overriding_options=OVERRIDABLE,
        )

    @property
    def topic(self) -> str:
        """Its full name."""
        return str(self._publisher.topic_name)

    @property
    def demanded(self) -> bool:
        return self._subscribers > 0

    def publish(self, make: Callable[[], M]) -> None:
        if self._subscribers:
            self._publisher.publish(make())

    def _on_matched(self, event: QoSPublisherMatchedInfo) -> None:
        self._subscribers = event.current_count
        self._on_change()

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)

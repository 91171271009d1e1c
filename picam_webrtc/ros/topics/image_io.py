"""Image topics: published only for those who listen, handed over as they are within one process."""

import threading
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.messages import frame_from_message, serialized_image
from picam_webrtc.ros.topics.qos import (
    OVERRIDABLE_DEPTH,
    SUBSCRIPTION_DEPTH,
    image_subscription_qos,
)

OnFrame = Callable[[Frame], None]


class LocalTopics:
    """The image topics whose publisher is in this process: their frames change hands as the same array.

    A consumer stays one when the publisher is closed and another one made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._publishers: dict[str, ImagePublisher] = {}
        self._consumers: dict[str, tuple[OnFrame, ...]] = {}

    def add_publisher(self, publisher: "ImagePublisher") -> None:
        with self._lock:
            self._publishers[publisher.topic] = publisher
            publisher.set_consumers(self._consumers.setdefault(publisher.topic, ()))

    def remove_publisher(self, publisher: "ImagePublisher") -> None:
        with self._lock:
            self._publishers.pop(publisher.topic, None)

    def has(self, topic: str) -> bool:
        """Whether its publisher is, or was, in this process."""
        return topic in self._consumers

    def consume(self, topic: str, consume: OnFrame) -> Callable[[], None] | None:
        """Hand every frame of `topic` to `consume`, on the publishing thread; the undo, or None for a remote topic."""
        if topic not in self._consumers:
            return None
        self._change(topic, lambda consumers: (*consumers, consume))
        return lambda: self._change(topic, lambda consumers: tuple(one for one in consumers if one is not consume))

    def _change(self, topic: str, change: Callable[[tuple[OnFrame, ...]], tuple[OnFrame, ...]]) -> None:
        with self._lock:
            consumers = self._consumers[topic] = change(self._consumers[topic])
            publisher = self._publishers.get(topic)
            if publisher is not None:
                publisher.set_consumers(consumers)
        if publisher is not None:
            publisher.on_change()


class ImagePublisher:
    """One image topic. `on_change()` whenever `demanded` may have changed.

    Messages are made only while somebody outside this process subscribes. `publish` may be called from
    any thread, on which local subscribers get the frame; the others get it from the topic's own thread. `on_change` is
    called on the thread that spins the node, or on a local subscriber's.
    """

    def __init__(self, node: Node, topic: str, local: LocalTopics, on_change: Callable[[], None]) -> None:
        self.on_change = on_change
        self._local = local
        self._consumers: tuple[OnFrame, ...] = ()
        self._remote = GatedPublisher(node, Image, topic, on_change, newest_when_slow=True)
        self.topic = self._remote.topic
        local.add_publisher(self)

    @property
    def demanded(self) -> bool:
        return self._remote.demanded or bool(self._consumers)

    @property
    def dropped(self) -> int:
        """Frames that never became messages because the topic is slow."""
        return self._remote.dropped

    def publish(self, frame: Frame) -> None:
        for consume in self._consumers:
            consume(frame)
        self._remote.publish(lambda: serialized_image(frame))

    def set_consumers(self, consumers: tuple[OnFrame, ...]) -> None:
        """For LocalTopics: the consumers in this process. To be followed by a call of `on_change`."""
        self._consumers = consumers

    def finish(self) -> None:
        """As that of GatedPublisher."""
        self._remote.finish()

    def close(self) -> None:
        self._local.remove_publisher(self)
        self._remote.close()


class AdaptiveSubscription:
    """A topic of another process, from a reliable or a best-effort publisher.

    It asks for reliable delivery unless a publisher that is known does best effort only, in whose log it would then be
    called incompatible. One that comes later and does is told of by the middleware. Must be made and closed on the
    thread that spins the node.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[Any],
        topic: str,
        on_message: Callable[[Any], None],
        depth: int = SUBSCRIPTION_DEPTH,
    ) -> None:
        self._node = node
        self._message_type = message_type
        self._topic = topic
        self._on_message = on_message
        self._depth = depth
        self._full_name = node.resolve_topic_name(topic)
        self._subscription: Any = None
        best_effort = ReliabilityPolicy.BEST_EFFORT in (self._override(), *self._offered())
        self._subscribe(ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE)

    def _override(self) -> ReliabilityPolicy:
        """As QoSOverridingOptions has it, but that what was offered once is not held against the next publisher."""
        name = f"qos_overrides.{self._full_name}.subscription.reliability"
        if not self._node.has_parameter(name):
            text = f"reliability for subscription {self._full_name}"
            descriptor = ParameterDescriptor(description=text, read_only=True)
            self._node.declare_parameter(name, ReliabilityPolicy.RELIABLE.short_key, descriptor)
        return ReliabilityPolicy[str(self._node.get_parameter(name).value).upper()]

    def _offered(self) -> tuple[ReliabilityPolicy, ...]:
        """By each publisher that is known."""
        publishers = self._node.get_publishers_info_by_topic(self._full_name)
        return tuple(publisher.qos_profile.reliability for publisher in publishers)

    def _subscribe(self, reliability: ReliabilityPolicy) -> None:
        reliable = reliability is ReliabilityPolicy.RELIABLE
        events = SubscriptionEventCallbacks(use_default_callbacks=not reliable)
        if reliable:
            events.incompatible_qos = lambda _: self._become_best_effort()
        self._subscription = self._node.create_subscription(
            self._message_type,
            self._topic,
            self._on_message,
            image_subscription_qos(reliability, self._depth),
            event_callbacks=events,
            qos_overriding_options=OVERRIDABLE_DEPTH,
        )

    def _become_best_effort(self) -> None:
        self._node.get_logger().info(f"{self._topic} is published best effort: subscribing so")
        self._node.destroy_subscription(self._subscription)
        self._subscribe(ReliabilityPolicy.BEST_EFFORT)

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)


class ImageSubscription:
    """Frames of one Image topic, wherever its publisher is.

    Must be made and closed on the thread that spins the node.
    """

    def __init__(self, node: Node, topic: str, local: LocalTopics, on_frame: OnFrame) -> None:
        self._on_frame = on_frame
        self._complain = Complaint(lambda text: node.get_logger().error(f"{topic}: {text}"))
        undo = local.consume(node.resolve_topic_name(topic), on_frame)
        self.close = undo or AdaptiveSubscription(node, Image, topic, self._on_message).close

    def _on_message(self, message: Image) -> None:
        try:
            frame = frame_from_message(message)
        except ImageError as error:
            self._complain(error)
            return
        self._on_frame(frame)

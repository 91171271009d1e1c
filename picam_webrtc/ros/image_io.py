"""Image topics: published only for those who listen, handed over as they are within one process."""

import logging
import threading
from collections.abc import Callable

from rclpy.event_handler import PublisherEventCallbacks, QoSPublisherMatchedInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.messages import frame_from_message, image_message
from picam_webrtc.ros.qos import OVERRIDABLE, OVERRIDABLE_DEPTH, image_publisher_qos, image_subscription_qos

logger = logging.getLogger(__name__)

OnFrame = Callable[[Frame], None]


class LocalTopics:
    """The image topics whose publisher is in this process: their frames change hands as the same array."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._publishers: dict[str, ImagePublisher] = {}

    def add_publisher(self, publisher: "ImagePublisher") -> None:
        with self._lock:
            self._publishers[publisher.topic] = publisher

    def remove_publisher(self, publisher: "ImagePublisher") -> None:
        with self._lock:
            self._publishers.pop(publisher.topic, None)

    def publisher(self, topic: str) -> "ImagePublisher | None":
        with self._lock:
            return self._publishers.get(topic)


class ImagePublisher:
    """One image topic. `on_demand(True)` when the first subscriber comes, `on_demand(False)` when the last goes.

    Messages are made only while somebody outside this process subscribes. `publish` may be called from
    any thread; `on_demand` is called on the thread that spins the node, or on a local subscriber's.
    """

    def __init__(self, node: Node, topic: str, local: LocalTopics, on_demand: Callable[[bool], None]) -> None:
        self._node = node
        self._local = local
        self._on_demand = on_demand
        self._lock = threading.Lock()
        self._consumers: tuple[OnFrame, ...] = ()
        self._remote = 0
        self._publisher = node.create_publisher(
            Image,
            topic,
            image_publisher_qos(),
            event_callbacks=PublisherEventCallbacks(matched=self._on_matched),
            qos_overriding_options=OVERRIDABLE,
        )
        self.topic: str = self._publisher.topic_name
        local.add_publisher(self)

    @property
    def demanded(self) -> bool:
        return self._remote > 0 or bool(self._consumers)

    def publish(self, frame: Frame) -> None:
        for consume in self._consumers:
            consume(frame)
        if self._remote:
            self._publisher.publish(image_message(frame))

    def add_consumer(self, consume: OnFrame) -> Callable[[], None]:
        """Hand every frame to `consume`, on the publishing thread; returns the undo."""
        self._change(consumers=(*self._consumers, consume))
        return lambda: self._change(consumers=tuple(one for one in self._consumers if one is not consume))

    def _on_matched(self, event: QoSPublisherMatchedInfo) -> None:
        self._change(remote=event.current_count)

    def _change(self, *, remote: int | None = None, consumers: tuple[OnFrame, ...] | None = None) -> None:
        with self._lock:
            before = self.demanded
            self._remote = self._remote if remote is None else remote
            self._consumers = self._consumers if consumers is None else consumers
            after = self.demanded
        if after != before:
            self._on_demand(after)

    def close(self) -> None:
        self._local.remove_publisher(self)
        self._node.destroy_publisher(self._publisher)


class ImageSubscription:
    """Frames of one image topic, wherever its publisher is.

    Across processes it asks for reliable delivery first and, told by the middleware that the publisher
    only does best effort, for that: either kind of publisher works.
    Must be made and closed on the thread that spins the node.
    """

    def __init__(self, node: Node, topic: str, local: LocalTopics, on_frame: OnFrame) -> None:
        self._node = node
        self._topic = topic
        self._on_frame = on_frame
        self._complaint = ""
        self._subscription = None
        self._undo: Callable[[], None] | None = None
        publisher = local.publisher(node.resolve_topic_name(topic))
        if publisher is not None:
            self._undo = publisher.add_consumer(on_frame)
        else:
            self._subscribe(ReliabilityPolicy.RELIABLE)

    def _subscribe(self, reliability: ReliabilityPolicy) -> None:
        first = reliability is ReliabilityPolicy.RELIABLE
        events = SubscriptionEventCallbacks(use_default_callbacks=not first)
        if first:
            events.incompatible_qos = lambda _: self._become_best_effort()
        self._subscription = self._node.create_subscription(
            Image,
            self._topic,
            self._on_message,
            image_subscription_qos(reliability),
            event_callbacks=events,
            # The first attempt has declared the reliability override as a parameter, for good.
            qos_overriding_options=OVERRIDABLE if first else OVERRIDABLE_DEPTH,
        )

    def _become_best_effort(self) -> None:
        logger.info("%s is published best effort: subscribing so", self._topic)
        self._node.destroy_subscription(self._subscription)
        self._subscribe(ReliabilityPolicy.BEST_EFFORT)

    def _on_message(self, message: Image) -> None:
        try:
            frame = frame_from_message(message)
        except ImageError as error:
            if str(error) != self._complaint:  # once, not at 30 Hz
                self._complaint = str(error)
                logger.error("%s: %s", self._topic, error)
            return
        self._on_frame(frame)

    def close(self) -> None:
        if self._undo is not None:
            self._undo()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

"""Which topics are recorded, and how they are subscribed to."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.node.on_demand import STEADY
from picam_webrtc.ros.recording.bag_writer import BagWriter, message_class
from picam_webrtc.ros.topics.siblings import topic_name

LOOK_PERIOD_S = 0.5
"""Between two looks for topics that have come."""
DEPTH, IMAGE_DEPTH = 100, 10
"""Messages that may wait for the disk; of raw images, ten are nearly 30 MB already."""
IMAGE = "sensor_msgs/msg/Image"


class Recorder:
    """Subscribes to topics as they come and writes their messages as they are, without decoding them.

    `topics` empty is every topic there is. Everything happens on the thread that spins `node`.
    """

    def __init__(self, node: Node, writer: BagWriter, topics: Sequence[str]) -> None:
        self._node = node
        self._writer = writer
        self._wanted = frozenset(node.resolve_topic_name(topic_name(node, topic)) for topic in topics)
        self._subscriptions: list[Any] = []
        self._decided: set[str] = set()
        self._timer = node.create_timer(LOOK_PERIOD_S, self._look, clock=STEADY)

    def _look(self) -> None:
        for topic, types in self._node.get_topic_names_and_types():
            wanted = not self._wanted or topic in self._wanted
            if wanted and topic not in self._decided and self._node.count_publishers(topic):
                self._decided.add(topic)
                self._record(topic, types[0])

    def _record(self, topic: str, type_name: str) -> None:
        qos = self._qos(topic, type_name)
        try:
            message_type, write = message_class(type_name), self._writer.add(topic, type_name, qos)
        except PicamWebrtcError as error:
            self._node.get_logger().warning(f"{topic} is not recorded: {error}")
            return
        on_message = _writing(write)
        self._subscriptions.append(self._node.create_subscription(message_type, topic, on_message, qos, raw=True))
        self._node.get_logger().info(f"Recording {topic}")

    def _qos(self, topic: str, type_name: str) -> QoSProfile:
        """What all publishers of the topic can give, so that none is left out."""
        offered = [one.qos_profile for one in self._node.get_publishers_info_by_topic(topic)]
        reliable = all(qos.reliability is ReliabilityPolicy.RELIABLE for qos in offered)
        latched = all(qos.durability is DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=IMAGE_DEPTH if type_name == IMAGE else DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

    def close(self) -> None:
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


def _writing(write: Callable[[int, bytes], None]) -> Callable[[bytes], None]:
    return lambda data: write(time.time_ns(), data)

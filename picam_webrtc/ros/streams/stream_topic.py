"""The topic behind one stream, subscribed to only while somebody watches."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo

from picam_webrtc.detection import Detections
from picam_webrtc.frame import Frame
from picam_webrtc.ros.node.on_demand import STEADY
from picam_webrtc.ros.process.memory import tidy
from picam_webrtc.ros.process.sim_time import StampClock
from picam_webrtc.ros.streams.network_report import CODED_SUFFIXES, EventRate, Feed
from picam_webrtc.ros.topics.compressed_io import CompressedSubscription
from picam_webrtc.ros.topics.detections import DetectionsSubscription, detections_topic_of
from picam_webrtc.ros.topics.image_io import ImageSubscription, LocalTopics
from picam_webrtc.ros.topics.qos import OVERRIDABLE, image_subscription_qos
from picam_webrtc.ros.topics.siblings import beside, followed, topic_name
from picam_webrtc.silence import Pace
from picam_webrtc.streaming.fanout.stream import Stream

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
PROCESSED = "image_processed"
"""The only topic into which detections are drawn."""

TIDY_AFTER_S = 1.0
"""Once nobody watches: connections and encoders take a moment to end."""

CallSoon = Callable[[Callable[[], None]], None]


class StreamTopic:
    """Feeds a stream from an Image or CompressedImage topic, and the detections beside it, while it has viewers.

    `demand` and `allow` may be called from any thread; topics are made and destroyed on the thread that
    spins the node.
    """

    def __init__(self, node: Node, topic: str, call_soon: CallSoon, local: LocalTopics) -> None:
        self._asked = _picture_topic(topic)
        self.topic: str = node.resolve_topic_name(topic_name(node, topic))  # counting publishers knows no remapping
        self.stream: Stream | None = None
        self.frame_id = ""
        self._node = node
        self._call_soon = call_soon
        self._local = local
        self._stamps = StampClock(node)
        self._images: ImageSubscription | CompressedSubscription | None = None
        self._detections: DetectionsSubscription | None = None
        self._infos: Any = None
        self._tidy_timer: Timer | None = None
        self._picture_rate, self._detections_rate, self._info_rate = EventRate(), EventRate(), EventRate()
        self._pace = Pace()
        self._late_s = 0.0
        self._wanted = self._allowed = self._closed = False

    def demand(self, wanted: bool) -> None:
        self._wanted = wanted
        self._call_soon(self._update)

    def allow(self, allowed: bool) -> None:
        """Without permission there is no subscription, whoever watches."""
        self._allowed = allowed
        self._call_soon(self._update)

    def is_live(self) -> bool:
        return bool(self._node.count_publishers(self.topic))

    def transform(self) -> str:
        """That of inference_node, which offers detections where it looks for any."""
        detects = self._processed and self._node.count_publishers(self._detections_topic())
        return "tflite" if detects else "none"

    @property
    def _processed(self) -> bool:
        """Whether the pictures are inference_node's, wherever a remap has sent them."""
        return any(name.endswith(PROCESSED) for name in (self._asked, _picture_topic(self.topic)))

    def _detections_topic(self) -> str:
        """Beside where the pictures were asked for, or beside where a remap has sent them; its full name."""
        names = (detections_topic_of(_picture_topic(self.topic)), detections_topic_of(self._asked))
        there, asked = (str(self._node.resolve_topic_name(name)) for name in names)
        return there if self._node.count_publishers(there) else asked

    def _info_topic(self) -> str:
        name = beside(self._asked, "camera_info")
        return topic_name(self._node, followed(self._node, name, self._asked))

    @property
    def watched(self) -> bool:
        return self._wanted

    @property
    def silent_s(self) -> float:
        """How long there has been no frame [s]; 0 while none is asked for."""
        return self._pace.silent_s if self._images is not None else 0.0

    @property
    def usual_gap_s(self) -> float:
        """Between two frames [s]; 0 while that is not known."""
        return self._pace.usual_gap_s

    def feed(self, stream: str) -> Feed:
        """How this topic does; from any thread."""
        # The model may take fewer pictures than the camera does, and sends detections for each that it took.
        processed = self._processed
        companion = "detections" if processed else "camera_info"
        rate = self._detections_rate if processed else self._info_rate
        publishers = self._node.count_publishers(self.topic)
        watched = self._images is not None
        pictures = self._picture_rate.per_s
        silent_s, late_s = self.silent_s, self._late_s
        return Feed(
            *(stream, self.topic, watched, publishers, pictures, silent_s, late_s, companion, rate.per_s),
            usual_gap_s=self.usual_gap_s,
            comparable=rate.settled,
        )

    def header_of(self, system_stamp_ns: int) -> tuple[int, str]:
        """The ROS stamp and frame_id of the frame that the stream knows by this stamp."""
        return self._stamps.ros_stamp(system_stamp_ns), self.frame_id

    def _update(self) -> None:
        if not self._wanted or not self._allowed or self._closed:
            self._unsubscribe()
        elif self._images is None:
            self._cancel_tidying()
            self._pace.restart()
            if self._is_compressed():
                self._images = CompressedSubscription(self._node, self.topic, self._on_frame)
            else:
                self._images = ImageSubscription(self._node, self.topic, self._local, self._on_frame)
            self._detections = DetectionsSubscription(self._node, self._detections_topic(), self._on_detections)
            self._watch_infos()
            for rate in (self._picture_rate, self._detections_rate, self._info_rate):
                rate.restart()

    def _watch_infos(self) -> None:
        """They tell how many pictures were taken, when few get here; within one process none are lost."""
        if not self._local.has(self.topic):
            topic, qos = self._info_topic(), image_subscription_qos(ReliabilityPolicy.BEST_EFFORT)
            self._infos = self._node.create_subscription(
                CameraInfo, topic, lambda _: self._info_rate.count(), qos, qos_overriding_options=OVERRIDABLE
            )

    def _is_compressed(self) -> bool:
        types = {one.topic_type for one in self._node.get_publishers_info_by_topic(self.topic)}
        return COMPRESSED_IMAGE in types and IMAGE not in types

    def _on_frame(self, frame: Frame) -> None:
        self._pace.count()
        self.frame_id = frame.frame_id
        self._picture_rate.count()
        frame = self._stamps.to_system(frame)
        self._late_s = (time.time_ns() - frame.stamp_ns) / 1e9
        if self.stream is not None:
            self.stream.push(frame)

    def _on_detections(self, detections: Detections) -> None:
        self._detections_rate.count()
        if self.stream is not None:
            shows_them = detections.drawn and self._processed
            stamp_ns = self._stamps.system_stamp(detections.stamp_ns)
            self.stream.push_detections(replace(detections, stamp_ns=stamp_ns, drawn=shows_them))

    def _unsubscribe(self) -> None:
        if self._images is not None:
            self._images.close()
            self._images = None
            if not self._closed:
                self._tidy_timer = self._node.create_timer(TIDY_AFTER_S, self._tidy, clock=STEADY)
        if self._detections is not None:
            self._detections.close()
            self._detections = None
        if self._infos is not None:
            self._node.destroy_subscription(self._infos)
            self._infos = None

    def _tidy(self) -> None:
        self._cancel_tidying()
        tidy(self._node)

    def _cancel_tidying(self) -> None:
        if self._tidy_timer is not None:
            self._node.destroy_timer(self._tidy_timer)
            self._tidy_timer = None

    def close(self) -> None:
        """For good; on the thread that spins the node, or once that has ended."""
        self._closed = True
        self._unsubscribe()
        self._cancel_tidying()


def _picture_topic(topic: str) -> str:
    """The topic of the pictures themselves, beside which coded ones have a suffix."""
    for suffix in CODED_SUFFIXES:
        topic = topic.removesuffix(suffix)
    return topic

"""A stream's coded video as a topic: one more viewer of the shared encoder, so nothing is encoded twice."""

import asyncio
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from picam_webrtc.detection import Detections
from picam_webrtc.latest import call_on_loop
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.qos import VIDEO_DEPTH, video_publisher_qos
from picam_webrtc.ros.topics.siblings import topic_name
from picam_webrtc.ros.topics.video_messages import VideoMessages
from picam_webrtc.streaming.encode.rendition import Codec, EncodedFrame
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.fanout.viewer import Viewer
from picam_webrtc.streaming.rtp.outlet import OutletCounts

MOST_WAITING = 8
"""A recording is to have every frame. Where encoding takes less than a frame's time, only a stall lets so many wait;
where it takes more, viewers beside a recorder are that much later.
"""


class TopicOutlet:
    """The end of the fan-out that is a topic: an Outlet without packets."""

    path = "topic"
    most_waiting = MOST_WAITING

    def __init__(self, publish: Callable[[EncodedFrame], bool]) -> None:
        """`publish` returns False where there is no room."""
        self.counts = OutletCounts()
        self._publish = publish

    def send(self, frame: EncodedFrame) -> bool:
        if not self._publish(frame):
            return False
        self.counts.bytes += len(frame.data)
        return True

    def packet_index(self, sequence: int) -> int | None:  # noqa: ARG002 - nobody can ask again for what had no number
        return None

    def resend(self, frame: EncodedFrame, number: int) -> None:
        """Nothing was sent as packets."""

    def send_frame_metadata(self, frame: EncodedFrame) -> None:
        """The message itself has it all."""

    def send_detections(self, detections: Detections) -> None:
        """Subscribers have the topic of the detections."""


class EncodedTopic:
    """`<topic>/h264` beside a stream's topic, encoded while anyone subscribes.

    Opened and closed on the thread that spins the node; the stream is joined and left on `loop`.
    `header_of` gives the ROS stamp and the frame_id of the frame with a stamp.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        stream: Stream,
        messages: VideoMessages,
        header_of: Callable[[int], tuple[int, str]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._node = node
        self.name = str(node.resolve_topic_name(topic_name(node, f"{topic}/{messages.suffix}")))
        self._stream = stream
        self._messages = messages
        self._header_of = header_of
        self._loop = loop
        self._viewer: Viewer | None = None
        self._left = False
        self._publisher: GatedPublisher[Any] | None = None
        self.dropped = 0
        """Pictures that were left out because the topic is slow."""

    def open(self) -> None:
        self._publisher = GatedPublisher(
            *(self._node, self._messages.message_type, self.name, self._on_change),
            video_publisher_qos(),
            most_waiting=VIDEO_DEPTH,
        )

    def _on_change(self) -> None:
        if self._publisher is not None:
            call_on_loop(self._loop, self._want, self._publisher.demanded)

    def _want(self, wanted: bool) -> None:
        """On the loop."""
        if wanted and self._viewer is None and not self._left:
            self._stream.subscribe()
            self._viewer = self._stream.join(Codec.H264, TopicOutlet(self._publish))
        elif not wanted and self._viewer is not None:
            viewer, self._viewer = self._viewer, None
            self._stream.leave(viewer)
            self._stream.unsubscribe()

    def _publish(self, frame: EncodedFrame) -> bool:
        """Of a coded video none is left out but up to the next key frame."""
        if self._publisher is None:
            return False
        if self._publisher.is_full:
            self.dropped += 1
            return False
        header = self._header_of(frame.stamp_ns)
        self._publisher.publish(lambda: self._messages.make(frame, *header))
        return True

    def leave(self) -> None:
        """On the loop: let go of the stream for good; to be followed by `close`."""
        self._left = True
        self._want(False)

    def close(self) -> None:
        """On the thread that spins the node, or once that has ended."""
        if self._publisher is not None:
            self._publisher.close()

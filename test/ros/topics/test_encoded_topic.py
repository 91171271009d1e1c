"""Coded video as a topic: all of it, or none up to the next key frame."""

import asyncio
import threading
from typing import cast

from sensor_msgs.msg import CompressedImage

from picam_webrtc.ros.topics.encoded_topic import EncodedTopic, TopicOutlet
from picam_webrtc.ros.topics.qos import VIDEO_DEPTH
from picam_webrtc.ros.topics.video_messages import VideoMessages, compressed_image
from picam_webrtc.streaming.encode.rendition import Codec, EncodedFrame
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc_test.ros.support import leaps, on_spin_thread, running_node, wait_until
from picam_webrtc_test.streaming.fakes import FRAME_NS, coded

PATIENCE_S = 10.0


class FakeStream:
    """As much of a Stream as a coded topic asks of it."""

    def __init__(self) -> None:
        self.outlet: Outlet | None = None

    def subscribe(self) -> None: ...

    def unsubscribe(self) -> None: ...

    def join(self, _codec: Codec, outlet: Outlet) -> object:
        self.outlet = outlet
        return object()

    def leave(self, _viewer: object) -> None: ...


def test_an_outlet_without_room_says_so_and_counts_nothing() -> None:
    outlet = TopicOutlet(lambda _: False)

    assert not outlet.send(coded(1))
    assert outlet.counts.bytes == 0


async def test_what_waits_of_a_slow_topic_has_no_gap_and_what_has_no_room_is_counted() -> None:
    slow, stream = threading.Event(), FakeStream()

    def make(frame: EncodedFrame, stamp_ns: int, frame_id: str) -> CompressedImage:
        assert slow.wait(PATIENCE_S)
        return compressed_image(frame, stamp_ns, frame_id)

    got = list[int]()
    with running_node("coded") as (runtime, node):
        header_of = lambda stamp_ns: (stamp_ns // FRAME_NS * 1_000_000_000, "optical")  # noqa: E731 - a second for each
        loop = asyncio.get_running_loop()
        topic = EncodedTopic(
            node, "/front", cast(Stream, stream), VideoMessages(CompressedImage, "h264", make), header_of, loop
        )
        runtime.spin()
        on_spin_thread(runtime, topic.open)
        take = lambda message: got.append(message.header.stamp.sec)  # noqa: E731
        on_spin_thread(runtime, lambda: node.create_subscription(CompressedImage, "/front/h264", take, 100))
        while stream.outlet is None:  # noqa: ASYNC110 - another thread's condition
            await asyncio.sleep(0.01)

        taken = [stream.outlet.send(coded(number)) for number in range(VIDEO_DEPTH + 5)]
        slow.set()
        await asyncio.to_thread(wait_until, lambda: len(got) == sum(taken), "all that was taken")
        topic.leave()
        on_spin_thread(runtime, topic.close)

    assert leaps(got) == []
    assert topic.dropped == taken.count(False) >= 4

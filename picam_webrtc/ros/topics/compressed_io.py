"""Frames of CompressedImage topics, decoded on a thread of their own."""

import threading

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from picam_webrtc.camera.compressed import Decompressor, video_decoder
from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.topics.image_io import AdaptiveSubscription, OnFrame
from picam_webrtc.ros.topics.messages import stamp_of
from picam_webrtc.ros.topics.qos import VIDEO_DEPTH


class Backlog:
    """Messages on their way to the decode thread: all of a video, only the newest of still pictures.

    A decoder that is VIDEO_DEPTH pictures behind starts anew.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[CompressedImage] = []
        self._closed = False

    def put(self, message: CompressedImage) -> None:
        with self._condition:
            if video_decoder(message.format) is None or len(self._waiting) >= VIDEO_DEPTH:
                self._waiting.clear()
            self._waiting.append(message)
            self._condition.notify()

    def take(self) -> list[CompressedImage] | None:
        """All that waits, at least one; None once closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closed)
            taken, self._waiting = self._waiting, []
            return None if self._closed else taken

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()


class CompressedSubscription:
    """Hands on the pictures of a CompressedImage topic; `on_frame` runs on the thread `decode`.

    Must be made and closed on the thread that spins the node.
    """

    def __init__(self, node: Node, topic: str, on_frame: OnFrame) -> None:
        self._backlog = Backlog()
        arguments = (node, topic, self._backlog, on_frame)
        self._thread = threading.Thread(target=_run, args=arguments, name="decode", daemon=True)
        self._thread.start()
        self._subscription = AdaptiveSubscription(node, CompressedImage, topic, self._backlog.put, VIDEO_DEPTH)

    def close(self) -> None:
        self._subscription.close()
        self._backlog.close()
        self._thread.join()


def _run(node: Node, topic: str, backlog: Backlog, on_frame: OnFrame) -> None:
    """The thread's entry point."""
    decompressor = Decompressor()
    complain = Complaint(lambda text: node.get_logger().error(f"{topic}: {text}"))
    while (messages := backlog.take()) is not None:
        for message in messages:
            try:
                frame = decoded(message, decompressor)
            except ImageError as error:
                complain(error)
                continue
            if frame is not None:
                on_frame(frame)


def decoded(message: CompressedImage, decompressor: Decompressor) -> Frame | None:
    """The picture in a message; None where a video decoder has none yet. Raises ImageError."""
    pixels = decompressor.decode(message.data, message.format)
    if pixels is None:
        return None
    encoding = "mono8" if pixels.ndim == 2 else "bgr8"
    return Frame(pixels, encoding, stamp_of(message.header.stamp), message.header.frame_id)

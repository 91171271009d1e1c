"""A topic whose messages are made only for those who listen, and published on a thread of its own."""

import threading
import time
import traceback
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar

from rclpy.event_handler import PublisherEventCallbacks, QoSPublisherMatchedInfo
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.qos import QoSProfile

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.latest import NEWEST_ALONE, Latest
from picam_webrtc.ros.process.logs import speaking_for
from picam_webrtc.ros.topics.qos import OVERRIDABLE, PUBLISHER_DEPTH, reliable_qos
from picam_webrtc.ros.topics.unlocked import publish_unlocked

M = TypeVar("M")
Make = Callable[[], M | bytes]
"""Makes a message, or the bytes of a serialized one. Raises PicamWebrtcError, which is logged, once for each text."""

SLOW_S, SLOW_TOPIC = 0.1, 2
"""To send a picture usually takes some 3 ms. One that takes long may be a stall of the machine, so many in a row are
none.
"""
END_TIMEOUT_S = 2.0
"""How long the end waits for what is being published: a subscriber far away may take a second for one picture."""


class GatedPublisher(Generic[M]):
    """Calls `on_change()` on the thread that spins the node whenever `demanded` may have changed.

    Whoever publishes never waits for the middleware: a thread of the topic's own makes the messages and sends them.
    """

    def __init__(
        self,
        node: Node,
        message_type: type[M],
        topic: str,
        on_change: Callable[[], None],
        qos: QoSProfile | None = None,
        most_waiting: int = PUBLISHER_DEPTH,
        newest_when_slow: bool = False,
    ) -> None:
        """`qos` is `reliable_qos()` unless given. Of more than `most_waiting` messages the oldest give way; with
        `newest_when_slow` so many wait out a stall of the machine only, and one where the topic itself is slow.
        """
        self._node = node
        self._on_change = on_change
        self._most_waiting = most_waiting
        self._newest_when_slow = newest_when_slow
        self._slow_in_a_row = 0
        self._subscribers = 0
        self._waiting = Latest[Make[M]]()
        self._thread: threading.Thread | None = None
        self._end_s: float | None = None
        self._publisher = node.create_publisher(
            message_type,
            topic,
            qos or reliable_qos(),
            event_callbacks=PublisherEventCallbacks(matched=self._on_matched),
            qos_overriding_options=OVERRIDABLE,
        )
        self.topic = str(self._publisher.topic_name)
        """Its full name."""
        self._complain = Complaint(lambda text: node.get_logger().error(f"Not published on {self.topic}: {text}"))
        self._complain_of_defect = Complaint(lambda _: self._complain_with_trace())

    @property
    def demanded(self) -> bool:
        return self._subscribers > 0

    @property
    def dropped(self) -> int:
        """Messages that gave way to newer ones because the topic is slow."""
        return self._waiting.dropped

    @property
    def is_full(self) -> bool:
        """Whether with the next message an older one has to give way."""
        return len(self._waiting) >= self._most_waiting

    def publish(self, make: Make[M]) -> None:
        """From any thread, never waits. `make` is called on the topic's thread."""
        if self._subscribers:
            newest_alone = self._newest_when_slow and self._slow_in_a_row >= SLOW_TOPIC
            self._waiting.put(make, NEWEST_ALONE if newest_alone else self._most_waiting)

    def _on_matched(self, event: QoSPublisherMatchedInfo) -> None:
        self._subscribers = event.current_count
        if self._subscribers and self._thread is None:
            self._start()
        self._on_change()

    def _start(self) -> None:
        arguments = (_publish_on, self._waiting, self._publish_one)
        with speaking_for(self._node):
            context = copy_context()
        self._thread = threading.Thread(target=context.run, args=arguments, name="publish", daemon=True)
        self._thread.start()

    def _publish_one(self, make: Make[M]) -> None:
        if not self._subscribers:
            return
        began_s = time.monotonic()
        try:
            publish_unlocked(self._publisher, make())
        except InvalidHandle:
            return  # closed meanwhile, of which `close` has told
        except PicamWebrtcError as error:
            self._complain(error)
        except Exception as error:  # noqa: BLE001 - the next message is another chance
            self._complain_of_defect(error)
        self._slow_in_a_row = self._slow_in_a_row + 1 if time.monotonic() - began_s > SLOW_S else 0

    def _complain_with_trace(self) -> None:
        self._node.get_logger().error(f"Not published on {self.topic}: {traceback.format_exc()}")

    def finish(self) -> None:
        """Take no more messages; END_TIMEOUT_S from now what waits is dropped. Topics that are all finished before the
        first is closed end side by side.
        """
        self._waiting.finish()
        if self._end_s is None:
            self._end_s = time.monotonic() + END_TIMEOUT_S

    def close(self) -> None:
        """What waits is published first, as far as `finish` leaves time."""
        self.finish()
        if self._thread is not None and self._end_s is not None:
            self._thread.join(max(0.0, self._end_s - time.monotonic()))
            if self._thread.is_alive():
                self._waiting.close()
                self._node.get_logger().error(f"{self.topic}: the middleware does not let go; left as it is")
        self._node.destroy_publisher(self._publisher)


def _publish_on(waiting: Latest[Make[M]], publish_one: Callable[[Make[M]], None]) -> None:
    """The thread's entry point."""
    while (make := waiting.take()) is not None:
        publish_one(make)
        del make  # and with it the picture, whose memory is waited for

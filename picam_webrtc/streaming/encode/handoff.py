"""The way of coded frames from the encode thread to the asyncio loop."""

import asyncio
import threading
from collections.abc import Callable

from picam_webrtc.latest import call_on_loop
from picam_webrtc.streaming.encode.rendition import EncodedFrame, RenditionKey

HANDOFF_LIMIT = 16
"""Coded frames on their way to the loop; a loop that is further behind loses frames up to the next key frame."""


class Handoff:
    """Coded frames from the encode thread to the loop: in order, bounded, never with a frame missing in between."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[EncodedFrame], None]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting = 0
        self._broken: set[RenditionKey] = set()
        self.dropped = 0

    def put(self, frame: EncodedFrame) -> bool:
        """From the encode thread. False when the frame was dropped and the rendition needs a key frame."""
        with self._lock:
            if self._waiting >= HANDOFF_LIMIT or (frame.key in self._broken and not frame.keyframe):
                self._broken.add(frame.key)
                self.dropped += 1
                return False
            self._broken.discard(frame.key)
            self._waiting += 1
        return call_on_loop(self._loop, self._arrive, frame)

    def _arrive(self, frame: EncodedFrame) -> None:
        with self._lock:
            self._waiting -= 1
        self._deliver(frame)

"""The way of coded frames from the encode thread to the asyncio loop."""

import asyncio
from collections.abc import Callable

from picam_webrtc.latest import AsyncInOrder
from picam_webrtc.streaming.encode.rendition import EncodedFrame, RenditionKey

HANDOFF_LIMIT = 16
"""Coded frames on their way to the loop; a loop that is further behind loses frames up to the next key frame."""


class Handoff:
    """Coded frames from the encode thread to the loop: in order, bounded, never with a frame missing in between."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[EncodedFrame], None]) -> None:
        self._way = AsyncInOrder(loop, deliver, HANDOFF_LIMIT)
        self._broken: set[RenditionKey] = set()
        self.dropped = 0

    def put(self, frame: EncodedFrame) -> bool:
        """From the encode thread. False when the frame was dropped and the rendition needs a key frame."""
        lost_already = frame.key in self._broken and not frame.keyframe
        if lost_already or not self._way.put(frame):
            self._broken.add(frame.key)
            self.dropped += 1
            return False
        self._broken.discard(frame.key)
        return True

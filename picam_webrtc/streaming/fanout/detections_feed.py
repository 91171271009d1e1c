"""The way of detections from any thread to the asyncio loop."""

import asyncio
import threading
from collections.abc import Callable

from picam_webrtc.detection import Detections
from picam_webrtc.latest import call_on_loop
from picam_webrtc.streaming.encode.handoff import HANDOFF_LIMIT


class DetectionsFeed:
    """Detections from any thread to the loop: in order, and bounded, since a late one is worth nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Detections], None]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting = 0

    def put(self, detections: Detections) -> None:
        with self._lock:
            if self._waiting >= HANDOFF_LIMIT:
                return
            self._waiting += 1
        call_on_loop(self._loop, self._arrive, detections)

    def _arrive(self, detections: Detections) -> None:
        with self._lock:
            self._waiting -= 1
        self._deliver(detections)

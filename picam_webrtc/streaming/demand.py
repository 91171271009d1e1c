"""Encoding while somebody needs it: the encode thread's life, and the way of its frames to the asyncio loop."""

import asyncio
import threading
from collections.abc import Callable, Iterable

from picam_webrtc.detection import Detections
from picam_webrtc.frame import Frame
from picam_webrtc.latest import call_on_loop
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.clock import MediaClock
from picam_webrtc.streaming.encode_thread import EncodeThread
from picam_webrtc.streaming.encoder import EncoderFactory
from picam_webrtc.streaming.encoding import RenditionEncoder
from picam_webrtc.streaming.rendition import EncodedFrame, RenditionKey

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


class EncodingOnDemand:
    """Runs an encode thread while any rendition is wanted. Every method but `put` runs on the loop."""

    def __init__(self, settings: WebRtcSettings, deliver: Callable[[EncodedFrame], None]) -> None:
        self._settings = settings
        self._deliver = deliver
        self._clock = MediaClock()
        self._factory = EncoderFactory()
        self._thread: EncodeThread | None = None
        self._ending: list[EncodeThread] = []
        self.frames_in = 0

    def put(self, frame: Frame) -> None:
        """From any thread, never blocks; while nothing is wanted the frame is let go of at once."""
        thread = self._thread
        if thread is not None:
            self.frames_in += 1
            thread.put(frame)

    def set_renditions(self, keys: Iterable[RenditionKey]) -> None:
        wanted = tuple(keys)
        if not wanted:
            self._stop_thread()
        elif self._thread is not None:
            self._thread.set_renditions(wanted)
        else:
            self._thread = self._new_thread()
            self._thread.set_renditions(wanted)
            self._thread.start()

    def request_keyframe(self, key: RenditionKey) -> None:
        rendition = self._thread.rendition(key) if self._thread is not None else None
        if rendition is not None:
            rendition.gate.request()

    def renditions(self) -> tuple[RenditionEncoder, ...]:
        return self._thread.renditions() if self._thread is not None else ()

    def apply(self, settings: WebRtcSettings) -> None:
        """Take over changed parameters while running."""
        self._settings = settings
        if self._thread is not None:
            self._thread.apply(settings)

    async def close(self) -> None:
        """End the encode thread and wait for it."""
        self._stop_thread()
        ending, self._ending = self._ending, []
        for thread in ending:
            await asyncio.to_thread(thread.join)

    def _new_thread(self) -> EncodeThread:
        handoff = Handoff(asyncio.get_running_loop(), self._deliver)
        return EncodeThread(self._settings, self._clock, handoff.put, self._factory)

    def _stop_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            self._ending = [*(ending for ending in self._ending if ending.alive), thread]

"""Encoding while somebody needs it: when the encode thread runs, and what it encodes."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from picam_webrtc.frame import Frame
from picam_webrtc.latest import NEWEST_ALONE
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.clock import MediaClock
from picam_webrtc.streaming.encode.encode_thread import EncodeThread
from picam_webrtc.streaming.encode.encoders import EncoderFactory
from picam_webrtc.streaming.encode.handoff import Handoff
from picam_webrtc.streaming.encode.rendition import LADDER, Codec, EncodedFrame, RenditionKey
from picam_webrtc.streaming.encode.rendition_encoder import RenditionEncoder

NOTABLE_CHANGE = {Codec.H264: 0.1, Codec.VP8: 0.3}
"""Relative changes of the bitrate that are carried out: VP8 pays for each with a key frame."""


@dataclass(slots=True)
class InputCounts:
    frames_in: int = 0
    frames_overtaken: int = 0
    frames_lost_to_loop: int = 0


class EncodingOnDemand:
    """Runs an encode thread while any rendition is wanted. Every method but `put` runs on the loop."""

    def __init__(self, settings: WebRtcSettings, deliver: Callable[[EncodedFrame], None]) -> None:
        self.most_waiting = NEWEST_ALONE
        self._settings = settings
        self._deliver = deliver
        # RTP timestamps start at a random value (RFC 3550, section 5.1), the same one for all viewers.
        self._clock = MediaClock(secrets.randbits(31))
        self._factory = EncoderFactory()
        self._thread: EncodeThread | None = None
        self._ending: list[EncodeThread] = []
        self._counts = InputCounts()
        self._handoff: Handoff | None = None

    def put(self, frame: Frame) -> None:
        """From any thread, never blocks; while nothing is wanted the frame is let go of at once."""
        thread = self._thread
        if thread is not None:
            self._counts.frames_in += 1
            thread.put(frame, self.most_waiting)

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

    def nominal_bitrate(self, key: RenditionKey) -> int:
        """A rendition's share of the stream's bitrate [bit/s]."""
        return round(self._settings.bitrate * LADDER[key.rung].bitrate_share)

    def set_bitrate(self, key: RenditionKey, bitrate: int) -> None:
        """Have a rendition aim lower than its share, or at it again; small changes are not worth the trouble."""
        rendition = self._thread.rendition(key) if self._thread is not None else None
        if rendition is None:
            return
        change = abs(bitrate - rendition.bitrate)
        if change > NOTABLE_CHANGE[key.codec] * rendition.bitrate or bitrate == rendition.nominal_bitrate:
            rendition.bitrate = bitrate

    def renditions(self) -> tuple[RenditionEncoder, ...]:
        return self._thread.renditions() if self._thread is not None else ()

    @property
    def counts(self) -> InputCounts:
        """Since the start, encode threads that have ended included."""
        counts = replace(self._counts)
        if self._thread is not None and self._handoff is not None:
            counts.frames_overtaken += self._thread.overtaken
            counts.frames_lost_to_loop += self._handoff.dropped
        return counts

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
        self._handoff = Handoff(asyncio.get_running_loop(), self._deliver)
        return EncodeThread(self._settings, self._clock, self._handoff.put, self._factory)

    def _stop_thread(self) -> None:
        self._counts = self.counts
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            self._ending = [*(ending for ending in self._ending if ending.alive), thread]

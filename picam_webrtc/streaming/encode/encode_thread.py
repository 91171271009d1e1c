"""The thread `encode`: a frame, converted once, through every encoder that somebody needs."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

import cv2

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.latest import NEWEST_ALONE, Latest
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode import i420
from picam_webrtc.streaming.encode.clock import FramePacer, MediaClock
from picam_webrtc.streaming.encode.encoders import EncoderError, EncoderFactory
from picam_webrtc.streaming.encode.rendition import EncodedFrame, RenditionKey
from picam_webrtc.streaming.encode.rendition_encoder import RenditionEncoder, Source

logger = logging.getLogger(__name__)


class EncodeThread:
    """Encodes what is put as every rendition that is set.

    `deliver` is called on the thread; it returns False when it dropped the frame, so that a key frame has to follow.
    One use only: `start`, any number of `put`, `stop`, `join`. Between frames it sleeps.
    """

    def __init__(
        self,
        settings: WebRtcSettings,
        clock: MediaClock,
        deliver: Callable[[EncodedFrame], bool],
        factory: EncoderFactory,
    ) -> None:
        self._settings = settings
        self._factory = factory
        self._slot = Latest[Source]()
        self._renditions: dict[RenditionKey, RenditionEncoder] = {}
        loop = _EncodeLoop(clock, FramePacer(settings.encode_frame_rate), deliver)
        self._pacer = loop.pacer
        self._thread = threading.Thread(
            target=_run, args=(self._slot, self.renditions, loop), name="encode", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; returns at once."""
        self._slot.close()

    def join(self) -> None:
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, frame: Frame, most_waiting: int = NEWEST_ALONE) -> None:
        """From any thread; never blocks. Of frames that wait, the oldest give way until `most_waiting` are left."""
        self._slot.put(Source(frame, time.time_ns()), most_waiting)

    @property
    def overtaken(self) -> int:
        """Frames that a newer one replaced before they were encoded."""
        return self._slot.dropped

    def set_renditions(self, keys: Iterable[RenditionKey]) -> None:
        """From the next frame on encode just these; a new one begins with a key frame."""
        # A new dictionary, because the thread may be walking through the old one; in the order of their timestamps.
        self._renditions = {
            key: self._renditions.get(key) or RenditionEncoder(key, self._settings, self._factory)
            for key in sorted(keys, key=lambda key: key.rung)
        }

    def renditions(self) -> tuple[RenditionEncoder, ...]:
        return tuple(self._renditions.values())

    def rendition(self, key: RenditionKey) -> RenditionEncoder | None:
        return self._renditions.get(key)

    def apply(self, settings: WebRtcSettings) -> None:
        """Take over what may change while running: bitrate, frame rate and key frame intervals."""
        self._settings = settings
        self._pacer.frame_rate = settings.encode_frame_rate
        for rendition in self.renditions():
            rendition.apply(settings)


def _run(
    slot: Latest[Source], renditions: Callable[[], tuple[RenditionEncoder, ...]], encode_loop: "_EncodeLoop"
) -> None:
    """The thread's entry point."""
    try:
        while (source := slot.take()) is not None:
            encode_loop.turn(source, renditions())
    finally:
        encode_loop.close_all_but(())


class _EncodeLoop:
    """The thread's own state; nobody else touches it, but for the pacer's rate."""

    def __init__(self, clock: MediaClock, pacer: FramePacer, deliver: Callable[[EncodedFrame], bool]) -> None:
        self.pacer = pacer
        self._clock = clock
        self._deliver = deliver
        self._running: tuple[RenditionEncoder, ...] = ()
        self._full: Pixels | None = None
        self._complain = Complaint(lambda text: logger.error("A frame cannot be streamed: %s", text))

    def turn(self, source: Source, renditions: tuple[RenditionEncoder, ...]) -> None:
        self.close_all_but(renditions)
        timestamp = self._clock.timestamp(source.frame.stamp_ns)
        if not renditions or not self.pacer.admits(timestamp):
            return
        try:
            full = self._converted(source.frame)
        except (ImageError, cv2.error) as error:
            self._complain(error)
            for rendition in renditions:
                rendition.counts.failed(error)
            return
        for rendition in renditions:
            try:
                frames = rendition.encode(full, timestamp, source)
            except EncoderError as error:
                self._complain(error)
                rendition.counts.failed(error)
                continue
            for frame in frames:
                if not self._deliver(frame):
                    rendition.gate.request()

    def close_all_but(self, renditions: tuple[RenditionEncoder, ...]) -> None:
        for rendition in self._running:
            if rendition not in renditions:
                rendition.close()
        self._running = renditions

    def _converted(self, frame: Frame) -> Pixels:
        size = i420.even_size(frame.width, frame.height)
        if self._full is None or self._full.shape != (size[1] * 3 // 2, size[0]):
            self._full = i420.empty(*size)
        i420.convert(frame, self._full)
        return self._full

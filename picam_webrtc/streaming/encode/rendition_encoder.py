"""One rendition being encoded: its encoder, opened anew whenever the picture's size or rate asks for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode import i420
from picam_webrtc.streaming.encode.encoders import (
    EncodedPicture,
    EncoderConfig,
    EncoderError,
    EncoderFactory,
    VideoEncoder,
)
from picam_webrtc.streaming.encode.keyframes import KeyframeGate
from picam_webrtc.streaming.encode.rendition import LADDER, EncodedFrame, RenditionKey

ENCODER_BACKLOG = 8
"""Pictures an encoder may hold back before their sources are forgotten; hardware holds one or two."""


@dataclass(frozen=True, slots=True)
class Source:
    """A frame on its way into the encoders, and when it came (CLOCK_REALTIME)."""

    frame: Frame
    received_ns: int


@dataclass(slots=True)
class EncodingCounts:
    """Written by the encode thread, read by anyone."""

    encoder: str = ""
    width: int = 0
    height: int = 0
    frames: int = 0
    bytes: int = 0
    encode_ns: int = 0
    reopened: int = 0
    failures: int = 0
    error: str = ""
    """Why the newest picture could not be encoded; empty when it was."""

    def failed(self, error: Exception) -> None:
        self.failures += 1
        self.error = str(error)


class RenditionEncoder:
    """Lives on the encode thread, but for `gate`, `counts` and `bitrate`, which any thread may use.

    `bitrate` [bit/s] may be lowered from `nominal_bitrate` and raised again without a key frame where the encoder can.
    """

    def __init__(
        self,
        key: RenditionKey,
        settings: WebRtcSettings,
        factory: EncoderFactory,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.key = key
        self.gate = KeyframeGate(settings.keyframe_interval, settings.min_keyframe_interval)
        self.counts = EncodingCounts()
        self._factory = factory
        self._now_s = now_s
        self._encoder: VideoEncoder | None = None
        self._pixels: Pixels | None = None
        self._sources: dict[int, Source] = {}
        self.apply(settings)

    def apply(self, settings: WebRtcSettings) -> None:
        """Take over bitrate, frame rate and key frame intervals from the next frame on."""
        self.bitrate = self.nominal_bitrate = round(settings.bitrate * LADDER[self.key.rung].bitrate_share)
        self.frame_rate = settings.encode_frame_rate
        self.hardware = settings.hardware_encoder
        self.gate.interval_s = settings.keyframe_interval
        self.gate.min_interval_s = settings.min_keyframe_interval

    def encode(self, full: Pixels, timestamp: int, source: Source) -> list[EncodedFrame]:
        """The coded frames that this picture brings forth: `full` is I420, of the source's size.

        Raises EncoderError; the encoder is then opened anew for the next picture.
        """
        pixels = self._scaled(full)
        encoder, fresh = self._ready_encoder(pixels)
        keyframe = fresh or self.gate.due(self._now_s())
        if keyframe:
            self.gate.passed(self._now_s())
        self._remember(timestamp, source)
        started_ns = time.perf_counter_ns()
        try:
            pictures = encoder.encode(pixels, timestamp, keyframe)
        except EncoderError as error:
            if encoder.config.hardware:
                self._factory.distrust_hardware(str(error))
            self.close()
            raise
        encode_ns = time.perf_counter_ns() - started_ns
        return [self._coded(picture, pixels, encode_ns) for picture in pictures]

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
        self._encoder = self._pixels = None
        self._sources.clear()

    def _scaled(self, full: Pixels) -> Pixels:
        size = LADDER[self.key.rung].size(full.shape[1], full.shape[0] * 2 // 3)
        shape = (size[1] * 3 // 2, size[0])
        if shape == full.shape:
            return full
        if self._pixels is None or self._pixels.shape != shape:
            self._pixels = i420.empty(*size)
        i420.scale(full, self._pixels)
        return self._pixels

    def _ready_encoder(self, pixels: Pixels) -> tuple[VideoEncoder, bool]:
        """The encoder for this picture, and whether it has just been opened."""
        width, height = pixels.shape[1], pixels.shape[0] * 2 // 3
        ceiling = max(self.nominal_bitrate, self.bitrate)
        wanted = EncoderConfig(self.key.codec, width, height, self.bitrate, ceiling, self.frame_rate, self.hardware)
        encoder = self._encoder
        if encoder is not None:
            if encoder.config == wanted:
                return encoder, False
            if replace(encoder.config, bitrate=self.bitrate) == wanted and encoder.set_bitrate(self.bitrate):
                return encoder, False
            encoder.close()
            self._encoder = None
            self.counts.reopened += 1
        self._encoder = encoder = self._factory.open(wanted)
        self.counts.encoder, self.counts.width, self.counts.height = encoder.name, width, height
        return encoder, True

    def _remember(self, timestamp: int, source: Source) -> None:
        self._sources[timestamp] = source
        while len(self._sources) > ENCODER_BACKLOG:
            del self._sources[next(iter(self._sources))]

    def _coded(self, picture: EncodedPicture, pixels: Pixels, encode_ns: int) -> EncodedFrame:
        source = self._sources.pop(picture.timestamp, None)
        self.counts.frames += 1
        self.counts.error = ""
        self.counts.bytes += len(picture.data)
        self.counts.encode_ns += encode_ns
        return EncodedFrame(
            key=self.key,
            data=picture.data,
            keyframe=picture.keyframe,
            # A viewer that changes renditions may get a picture in both, which one timestamp would make one frame.
            timestamp=picture.timestamp + self.key.rung,
            stamp_ns=source.frame.stamp_ns if source else 0,
            received_ns=source.received_ns if source else 0,
            encoded_ns=time.time_ns(),
            width=pixels.shape[1],
            height=pixels.shape[0] * 2 // 3,
            frame_id=source.frame.frame_id if source else "",
        )

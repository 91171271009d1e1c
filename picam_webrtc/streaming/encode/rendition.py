"""What is encoded of a stream: a codec and a rung of the encoding ladder."""

from dataclasses import dataclass
from enum import StrEnum

from picam_webrtc.streaming.encode.i420 import even_size

VIDEO_CLOCK_HZ = 90_000
"""The RTP clock of every video payload format (RFC 3551, section 5)."""


class Codec(StrEnum):
    H264 = "h264"
    VP8 = "vp8"


@dataclass(frozen=True, slots=True)
class Rung:
    """A share of the stream's bitrate and the scale of the picture's sides that suits it."""

    name: str
    bitrate_share: float
    scale: float

    def size(self, width: int, height: int) -> tuple[int, int]:
        scaled_width, scaled_height = even_size(round(width * self.scale), round(height * self.scale))
        return max(2, scaled_width), max(2, scaled_height)


LADDER = (Rung("full", 1.0, 1.0), Rung("half", 0.5, 0.75), Rung("quarter", 0.25, 0.5))
"""From best to smallest. Pixels fall about as fast as bits, so that a pixel looks equally good on every rung."""

FULL, LOWEST = 0, len(LADDER) - 1


@dataclass(frozen=True, slots=True)
class RenditionKey:
    """Names one encoding of a stream; `rung` is an index of LADDER."""

    codec: Codec
    rung: int

    def __str__(self) -> str:
        return f"{self.codec}/{LADDER[self.rung].name}"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One coded picture, for all viewers together.

    `timestamp` counts VIDEO_CLOCK_HZ, ever upwards; `stamp_ns` (capture), `received_ns` (arrival in the stream) and
    `encoded_ns` (end of encoding) are CLOCK_REALTIME.
    """

    key: RenditionKey
    data: bytes
    keyframe: bool
    timestamp: int
    stamp_ns: int
    received_ns: int
    encoded_ns: int
    width: int
    height: int
    frame_id: str

"""Coded frames cut into RTP payloads: H.264 (RFC 6184, packetization mode 1) and VP8 (RFC 7741)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

from picam_webrtc.streaming.encode import nal
from picam_webrtc.streaming.encode.rendition import Codec, EncodedFrame, RenditionKey

MAX_PAYLOAD = 1200
"""Bytes. With RTP, SRTP, TURN, UDP and IPv6 around it a packet stays below every usual path's MTU."""
FU_A, STAP_A = 28, 24
NRI_MASK = 0x60
FU_START, FU_END = 0x80, 0x40
FU_HEADER_SIZE = 2
NEEDLESS_UNITS = frozenset({nal.SEI, nal.AUD, nal.FILLER})
"""NAL units that no viewer needs."""
VP8_START, VP8_CONTINUED = b"\x10", b"\x00"
"""Payload descriptors without a picture id, so that all viewers get the same bytes whenever they joined."""
FRAME_FIELDS = tuple(one.name for one in fields(EncodedFrame))


@dataclass(frozen=True, slots=True)
class PacketizedFrame(EncodedFrame):
    """A coded frame and the RTP payloads it was cut into, for all viewers together.

    `first_packet` counts the rendition's packets before this frame.
    """

    payloads: tuple[bytes, ...]
    payload_bytes: int
    first_packet: int


class Packetizer:
    """Cuts a stream's frames, each once, and counts the packets of every rendition."""

    def __init__(self) -> None:
        self._packets = Counter[RenditionKey]()

    def packetize(self, frame: EncodedFrame) -> PacketizedFrame:
        payloads = cut(frame.key.codec, frame.data)
        first_packet = self._packets[frame.key]
        self._packets[frame.key] += len(payloads)
        coded = {name: getattr(frame, name) for name in FRAME_FIELDS}
        payload_bytes = sum(map(len, payloads))
        return PacketizedFrame(**coded, payloads=payloads, payload_bytes=payload_bytes, first_packet=first_packet)


def cut(codec: Codec, data: bytes) -> tuple[bytes, ...]:
    """The payloads of one frame, at most MAX_PAYLOAD bytes each."""
    return tuple(_cut_h264(data)) if codec is Codec.H264 else tuple(_cut_vp8(data))


def _cut_h264(data: bytes) -> Iterator[bytes]:
    """Small units travel together, large ones in fragments."""
    together: list[memoryview] = []
    room = MAX_PAYLOAD - 1
    for unit in nal.nal_units(data):
        if nal.nal_type(unit) in NEEDLESS_UNITS:
            continue
        if 2 + len(unit) > room and together:
            yield _aggregate(together)
            together, room = [], MAX_PAYLOAD - 1
        if len(unit) > MAX_PAYLOAD:
            yield from _fragments(unit)
        else:
            together.append(unit)
            room -= 2 + len(unit)
    if together:
        yield _aggregate(together)


def _aggregate(units: list[memoryview]) -> bytes:
    if len(units) == 1:
        return bytes(units[0])
    importance = max(unit[0] & NRI_MASK for unit in units)
    parts = b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    return bytes([importance | STAP_A]) + parts


def _fragments(unit: memoryview) -> Iterator[bytes]:
    indicator = (unit[0] & ~nal.TYPE_MASK) | FU_A
    unit_type = unit[0] & nal.TYPE_MASK
    body = unit[1:]
    size = _even_share(len(body), MAX_PAYLOAD - FU_HEADER_SIZE)
    for start in range(0, len(body), size):
        flags = (FU_START if start == 0 else 0) | (FU_END if start + size >= len(body) else 0)
        yield bytes((indicator, flags | unit_type)) + body[start : start + size]


def _cut_vp8(data: bytes) -> Iterator[bytes]:
    size = _even_share(len(data), MAX_PAYLOAD - 1)
    for start in range(0, len(data), size):
        yield (VP8_CONTINUED if start else VP8_START) + data[start : start + size]


def _even_share(total: int, limit: int) -> int:
    """Size of equal parts of at most `limit`; only the last may be shorter, as segmentation offload wants it."""
    parts = max(1, -(-total // limit))
    return max(1, -(-total // parts))

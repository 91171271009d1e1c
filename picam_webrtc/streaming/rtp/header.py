"""RTP packets: header layout, header extensions and sequence numbers (RFC 3550, RFC 8285, RFC 4588)."""

import struct
from dataclasses import dataclass

from picam_webrtc.streaming.encode.clock import NANOSECONDS

HEADER_SIZE = 12
VERSION_WITH_EXTENSION = 0x90
MARKER = 0x80
ONE_BYTE_EXTENSIONS = 0xBEDE
LARGEST_ONE_BYTE_ID = 14

RTP_TIMESTAMP_MASK = 0xFFFFFFFF

HEADER = struct.Struct("!BBHII")
HEADER_TAIL = struct.Struct("!BHII")
"""Marker and payload type, sequence number, timestamp and SSRC: all that differs between viewers, from byte 1 on."""

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
PLAYOUT_DELAY_URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
NO_PLAYOUT_DELAY = b"\x00\x00\x00"
"""Smallest and largest delay zero: show every frame as soon as it is decoded."""


@dataclass(frozen=True, slots=True)
class ExtensionLayout:
    """Which header extensions a viewer negotiated, by id; 0 is none. Viewers of one layout share packet templates."""

    mid: str = ""
    mid_id: int = 0
    send_time_id: int = 0
    playout_delay_id: int = 0

    def block(self, send_time_ns: int, keyframe: bool) -> bytes:
        """The extension part of a header. What does not change is repeated with key frames only."""
        elements = []
        if self.send_time_id:
            elements.append(_element(self.send_time_id, send_time_24(send_time_ns).to_bytes(3, "big")))
        if self.playout_delay_id and keyframe:
            elements.append(_element(self.playout_delay_id, NO_PLAYOUT_DELAY))
        if self.mid_id and self.mid and keyframe:
            elements.append(_element(self.mid_id, self.mid.encode()[:16]))
        body = b"".join(elements)
        body += b"\x00" * (-len(body) % 4)
        return struct.pack("!HH", ONE_BYTE_EXTENSIONS, len(body) // 4) + body

    @classmethod
    def from_ids(cls, ids: dict[str, int], mid: str) -> "ExtensionLayout":
        """`ids` by URI; an id that the one-byte form cannot hold is left out."""
        usable = {uri: number for uri, number in ids.items() if 0 < number <= LARGEST_ONE_BYTE_ID}
        return cls(mid, usable.get(MID_URI, 0), usable.get(SEND_TIME_URI, 0), usable.get(PLAYOUT_DELAY_URI, 0))


def _element(number: int, value: bytes) -> bytes:
    return bytes([number << 4 | len(value) - 1]) + value


def send_time_24(time_ns: int) -> int:
    """Seconds as 6.18 bit fixed point, wrapping every 64 s."""
    return (time_ns << 18) // NANOSECONDS & 0xFFFFFF


@dataclass(frozen=True, slots=True)
class RtpParameters:
    """What a viewer negotiated; `rtx_payload_type` 0 is no retransmission format (RFC 4588)."""

    ssrc: int
    payload_type: int
    rtx_ssrc: int = 0
    rtx_payload_type: int = 0
    extensions: ExtensionLayout = ExtensionLayout()


def header(parameters: RtpParameters, marker: bool, sequence: int, timestamp: int, extension: bytes) -> bytes:
    """A whole header."""
    second = (MARKER if marker else 0) | parameters.payload_type
    fixed = HEADER.pack(
        VERSION_WITH_EXTENSION, second, sequence & 0xFFFF, timestamp & RTP_TIMESTAMP_MASK, parameters.ssrc
    )
    return fixed + extension


def unwrapped(sequence: int, newest: int) -> int:
    """The packet count, at most `newest`, whose lowest 16 bits are `sequence`."""
    return newest - ((newest - sequence) & 0xFFFF)

"""A viewer that costs little: real ICE and DTLS-SRTP, then packets are decrypted and counted, not decoded.

aiortc's receiver takes ten times as long for a packet, and a hundred of them would measure themselves.
"""

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from pylibsrtp._binding import ffi, lib

RTP_HEADER = struct.Struct("!BBHII")
MARKER, PAYLOAD_TYPE = 0x80, 0x7F
CLOCK_HZ = 90_000
RTCP_TYPES = range(192, 224)

_packet = ffi.new("unsigned char[]", 2048)
_packet_bytes = ffi.buffer(_packet)
_length = ffi.new("int *")


@dataclass
class Received:
    packets: int = 0
    bytes: int = 0
    lost: int = 0
    frames: int = 0
    ages_s: list[float] = field(default_factory=list)


class LightViewer:
    """`frame_age_s` tells a frame's age at arrival from its RTP timestamp."""

    def __init__(self, frame_age_s: Callable[[int], float | None], codec: str = "video/H264") -> None:
        self.received = Received()
        self.first_frame = asyncio.Event()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._frame_age_s = frame_age_s
        transceiver = self.connection.addTransceiver("video", direction="recvonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([one for one in codecs if one.mimeType in (codec, "video/rtx")])
        self._dtls = transceiver.receiver.transport
        self._payload_type: int | None = None
        self._next_sequence: int | None = None
        self._whole = True

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        for protocol in self._dtls.transport._connection._protocols:
            setattr(protocol, "datagram_received", self._interceptor(protocol.datagram_received))  # noqa: B010
        return str(self.connection.localDescription.sdp)

    async def accept(self, answer_sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer_sdp, "answer"))

    def stop_reading(self) -> None:
        """Leave everything in the socket from now on, as a browser does whose process was stopped."""
        for protocol in self._dtls.transport._connection._protocols:
            transport: Any = protocol.transport
            transport.pause_reading()

    async def close(self) -> None:
        await self.connection.close()

    def _interceptor(self, pass_on: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def received(data: Any, address: Any) -> None:
            session = self._dtls._rx_srtp
            if session is not None and 127 < data[0] < 192 and data[1] not in RTCP_TYPES:
                self._count(session._srtp[0], data)
            else:
                pass_on(data, address)

        return received

    def _count(self, srtp: Any, data: bytes) -> None:
        _length[0] = size = len(data)
        _packet_bytes[0:size] = data
        if lib.srtp_unprotect(srtp, _packet, _length):
            return
        _, second, sequence, timestamp, _ = RTP_HEADER.unpack_from(data)
        if self._payload_type is None:
            self._payload_type = second & PAYLOAD_TYPE
        elif second & PAYLOAD_TYPE != self._payload_type:
            return
        received = self.received
        received.packets += 1
        received.bytes += size
        if self._next_sequence is not None and sequence != self._next_sequence:
            received.lost += (sequence - self._next_sequence) & 0xFFFF
            self._whole = False
        self._next_sequence = (sequence + 1) & 0xFFFF
        if second & MARKER:
            if self._whole:
                received.frames += 1
                self._age(timestamp)
                self.first_frame.set()
            self._whole = True

    def _age(self, timestamp: int) -> None:
        age_s = self._frame_age_s(timestamp)
        if age_s is not None:
            self.received.ages_s.append(age_s)


class CaptureClock:
    """Tells a frame's age from its RTP timestamp, given one pair of timestamp and capture stamp."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._stamp_ns = 0

    def set(self, timestamp: int, stamp_ns: int) -> None:
        self._timestamp, self._stamp_ns = timestamp, stamp_ns

    def age_s(self, timestamp: int) -> float | None:
        if self._timestamp is None:
            return None
        since = (timestamp - self._timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        return (time.time_ns() - self._stamp_ns) / 1e9 - since / CLOCK_HZ

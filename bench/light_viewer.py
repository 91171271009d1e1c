"""A viewer that costs little: real ICE and DTLS-SRTP, then packets are decrypted and counted, not decoded.

aiortc's receiver takes ten times as long for a packet, and a hundred of them would measure themselves.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from pylibsrtp._binding import ffi, lib

RTP_HEADER = struct.Struct("!BBHII")
MARKER, PAYLOAD_TYPE = 0x80, 0x7F
CLOCK_HZ = 90_000
RTCP_TYPES = range(192, 224)
SO_TIMESTAMPNS = 35
"""From asm-generic/socket.h; Python's socket module has no name for it."""
TIMESPEC = struct.Struct("@ll")
MOST_AT_A_TIME = 32
"""Packets of one viewer, before the others have their turn."""

_packet = ffi.new("unsigned char[]", 2048)
_packet_bytes = ffi.buffer(_packet)
_length = ffi.new("int *")


@dataclass
class Received:
    packets: int = 0
    bytes: int = 0
    lost: int = 0
    frames: int = 0
    longest_gap_s: float = 0.0
    """Between two whole frames, by their arrival in the socket."""
    ages_s: list[float] = field(default_factory=list)


class LightViewer:
    """`frame_age_s` tells a frame's age from its RTP timestamp and its last packet's arrival [ns]."""

    def __init__(self, frame_age_s: Callable[[int, int], float | None], codec: str = "video/H264") -> None:
        self.received = Received()
        self.first_frame = asyncio.Event()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._frame_age_s = frame_age_s
        self._sockets: list[socket.socket] = []
        transceiver = self.connection.addTransceiver("video", direction="recvonly")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([one for one in codecs if one.mimeType in (codec, "video/rtx")])
        self._dtls = transceiver.receiver.transport
        self._payload_type: int | None = None
        self._next_sequence: int | None = None
        self._whole = True
        self._arrived_ns = 0

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        for protocol in self._dtls.transport._connection._protocols:
            self._read_ourselves(protocol)
        return str(self.connection.localDescription.sdp)

    async def accept(self, answer_sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer_sdp, "answer"))

    def stop_reading(self) -> None:
        """Leave everything in the socket from now on, as a browser does whose process was stopped."""
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)

    async def close(self) -> None:
        self.stop_reading()
        # Its farewell is sent by aiortc's own transports.
        await self.connection.close()
        for sock in self._sockets:
            sock.close()

    def _read_ourselves(self, protocol: Any) -> None:
        """Take a socket over from asyncio, to have the kernel's word for when a packet came."""
        protocol.transport.pause_reading()
        sock = socket.socket(fileno=os.dup(protocol.transport.get_extra_info("socket").fileno()))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._sockets.append(sock)
        asyncio.get_running_loop().add_reader(sock, self._drain, sock, protocol)

    def _drain(self, sock: socket.socket, protocol: Any) -> None:
        for _ in range(MOST_AT_A_TIME):
            try:
                data, control, _, address = sock.recvmsg(2048, 64)
            except OSError:
                # Nothing there, or an ICMP message about a check of ICE's that led nowhere.
                return
            session = self._dtls._rx_srtp
            if session is not None and 127 < data[0] < 192 and data[1] not in RTCP_TYPES:
                seconds, nanoseconds = TIMESPEC.unpack(control[0][2])
                self._count(session._srtp[0], data, 1_000_000_000 * seconds + nanoseconds)
            else:
                protocol.datagram_received(data, address)

    def _count(self, srtp: Any, data: bytes, arrived_ns: int) -> None:
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
                if self._arrived_ns:
                    received.longest_gap_s = max(received.longest_gap_s, (arrived_ns - self._arrived_ns) / 1e9)
                self._arrived_ns = arrived_ns
                self._age(timestamp, arrived_ns)
                self.first_frame.set()
            self._whole = True

    def _age(self, timestamp: int, arrived_ns: int) -> None:
        age_s = self._frame_age_s(timestamp, arrived_ns)
        if age_s is not None:
            self.received.ages_s.append(age_s)


class CaptureClock:
    """Tells a frame's age from its RTP timestamp, given one pair of timestamp and capture stamp."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._stamp_ns = 0

    def set(self, timestamp: int, stamp_ns: int) -> None:
        self._timestamp, self._stamp_ns = timestamp, stamp_ns

    def age_s(self, timestamp: int, arrived_ns: int) -> float | None:
        if self._timestamp is None:
            return None
        since = (timestamp - self._timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        return (arrived_ns - self._stamp_ns) / 1e9 - since / CLOCK_HZ

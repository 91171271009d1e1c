"""aiortc's sender with our outlet in it, which takes the place of aiortc's packet loop.

That needs members of aiortc that it does not promise: they are named in private_members.py, and `check_aiortc` says
which of them an installed version lacks.
"""

import asyncio
import contextlib
import logging
import struct
import time
from typing import Any, NoReturn, cast

import pylibsrtp
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc import rtp as aiortc_rtp
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters

from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.fanout.metadata import MetadataChannel
from picam_webrtc.streaming.rtp.header import ExtensionLayout, RtpParameters
from picam_webrtc.streaming.rtp.outlet import RtpOutlet, SendBuffers
from picam_webrtc.streaming.rtp.path import CurrentPath
from picam_webrtc.streaming.rtp.reports import SenderClock, make_report
from picam_webrtc.streaming.rtp.srtp import Protector
from picam_webrtc.streaming.session.description import one_line, retransmits
from picam_webrtc.streaming.session.events import PeerEvents

logger = logging.getLogger(__name__)

ICE_COMPONENT = 1


class PiCameraTrack(MediaStreamTrack):
    """What aiortc negotiates and takes for the source of a sender. Frames never pass it: the outlet sends them."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.codec: Codec | None = None
        self.metadata: MetadataChannel | None = None

    async def recv(self) -> NoReturn:
        raise MediaStreamError


class DirectSender(RTCRtpSender):
    """aiortc's sender, with its packet loop and its handling of feedback replaced."""

    _camera_track: PiCameraTrack
    _events: PeerEvents
    _buffers: SendBuffers
    _clock: SenderClock
    _outlet: RtpOutlet | None
    _parameters: RTCRtpSendParameters

    def take_over(self, track: PiCameraTrack, events: PeerEvents, buffers: SendBuffers) -> None:
        """Takes the place of a constructor."""
        self._camera_track, self._events, self._buffers = track, events, buffers
        self._clock = SenderClock()
        self._outlet = None

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        self._parameters = parameters
        await super().send(parameters)

    async def _run_rtp(self, codec: RTCRtpCodecParameters) -> None:
        with contextlib.ExitStack() as stack:
            self._RTCRtpSender__rtp_started.set()  # type: ignore[attr-defined]
            stack.callback(self._RTCRtpSender__rtp_exited.set)  # type: ignore[attr-defined]
            stack.callback(self._camera_track.stop)
            try:
                self._outlet = self._open_outlet(codec, stack)
            except (AttributeError, KeyError, TypeError, OSError, pylibsrtp.Error) as error:
                logger.error("A viewer gets no pictures, and its connection ends: %s", one_line(error))
                self._events.state_changed("failed")
                return
            if self._camera_track.codec is not None:
                self._events.started(self._camera_track.codec, self._outlet)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()

    def _open_outlet(self, codec: RTCRtpCodecParameters, stack: contextlib.ExitStack) -> RtpOutlet:
        nominated = self.transport.transport._connection._nominated
        path = CurrentPath(lambda: nominated.get(ICE_COMPONENT))
        stack.callback(path.close)
        path()
        protector = Protector(self.transport._tx_srtp)
        track = self._camera_track
        outlet = RtpOutlet(self._rtp_parameters(codec), protector, path, lambda: track.metadata, self._buffers)
        # Some viewers ask for key frames without naming the stream.
        self.transport._rtp_router.register_sender(self, ssrc=0)
        return outlet

    def _rtp_parameters(self, codec: RTCRtpCodecParameters) -> RtpParameters:
        rtx = [other.payloadType for other in self._parameters.codecs if retransmits(other, codec)]
        ids = {extension.uri: extension.id for extension in self._parameters.headerExtensions}
        return RtpParameters(
            self._ssrc,
            codec.payloadType or 0,
            self._rtx_ssrc,
            (rtx[0] if rtx else 0) or 0,
            ExtensionLayout.from_ids(ids, self._parameters.muxId),
        )

    async def _send_rtcp(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._outlet is not None and isinstance(packet, aiortc_rtp.RtcpSrPacket):
                counts, info = self._outlet.counts, packet.sender_info
                info.ntp_timestamp, info.rtp_timestamp = self._clock.stamp(self._outlet.newest, time.time_ns())
                info.packet_count, info.octet_count = counts.packets & 0xFFFFFFFF, counts.bytes & 0xFFFFFFFF
        await super()._send_rtcp(packets)

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        if self._outlet is None:
            return
        if isinstance(packet, aiortc_rtp.RtcpRrPacket | aiortc_rtp.RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    rtt_s = self._clock.round_trip_s(report.lsr, report.dlsr, time.time_ns())
                    self._events.reported(make_report(report.fraction_lost, report.packets_lost, report.jitter, rtt_s))
        elif isinstance(packet, aiortc_rtp.RtcpRtpfbPacket) and packet.fmt == aiortc_rtp.RTCP_RTPFB_NACK:
            self._events.packets_lost(packet.lost)
        elif isinstance(packet, aiortc_rtp.RtcpPsfbPacket):
            self._handle_payload_feedback(packet.fmt, packet.fci)

    def _handle_payload_feedback(self, kind: int, body: bytes) -> None:
        if kind in (aiortc_rtp.RTCP_PSFB_PLI, aiortc_rtp.RTCP_PSFB_FIR):
            self._events.keyframe_requested()
        elif kind == aiortc_rtp.RTCP_PSFB_APP:
            # Application feedback that is no estimate is none of our business.
            with contextlib.suppress(ValueError, struct.error):
                bitrate, ssrcs = aiortc_rtp.unpack_remb_fci(body)
                if self._ssrc in ssrcs:
                    self._events.estimated(float(bitrate))


def adopt(sender: RTCRtpSender, track: PiCameraTrack, events: PeerEvents, buffers: SendBuffers) -> None:
    """Make a sender of aiortc's ours: aiortc makes its senders itself, so they have to change their class."""
    sender.__class__ = DirectSender
    cast(DirectSender, sender).take_over(track, events, buffers)

"""One WebRTC connection (the only user of aiortc).

Coded frames leave by our own `RtpOutlet`, which takes the place of aiortc's packet loop. That needs members of aiortc
that it does not promise: `check_aiortc` says which of them an installed version lacks.
"""

import asyncio
import contextlib
import inspect
import logging
import struct
import time
from collections.abc import Sequence
from typing import Any, NoReturn, cast

import aiortc
import pylibsrtp
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    sdp,
)
from aiortc import codecs as aiortc_codecs
from aiortc import rtp as aiortc_rtp
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import (
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)

from picam_webrtc.errors import DependencyError, MalformedOffer, UnusableOffer
from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.fanout import metadata
from picam_webrtc.streaming.fanout.metadata import MetadataChannel
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.rtp.header import PLAYOUT_DELAY_URI, ExtensionLayout, RtpParameters
from picam_webrtc.streaming.rtp.outlet import RtpOutlet, Workbench
from picam_webrtc.streaming.rtp.path import CurrentPath
from picam_webrtc.streaming.rtp.reports import SenderClock, make_report
from picam_webrtc.streaming.rtp.srtp import Protector
from picam_webrtc.streaming.session.description import check, first_common, formats, one_line, retransmits, video_of
from picam_webrtc.streaming.session.events import PeerEvents
from picam_webrtc.streaming.session.trickle import SdpFragment, without_candidates

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
ICE_COMPONENT = 1
ICE_NOTICE_S = 0.05
"""aioice looks every 20 ms whether its checks are done."""


class PiCameraTrack(MediaStreamTrack):
    """What aiortc negotiates and takes for the source of a sender. Frames never pass it: the outlet sends them."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.codec: Codec | None = None
        self.metadata: MetadataChannel | None = None

    async def recv(self) -> NoReturn:
        raise MediaStreamError


class Peer:
    """A connection that sends one video; closed for good after `close` or a failure."""

    def __init__(
        self, codecs: Sequence[Codec], events: PeerEvents, bench: Workbench, servers: Sequence[IceServer] = ()
    ) -> None:
        self._codecs = tuple(codecs)
        self._events = events
        self._transport_mid = ""
        self._ufrags: frozenset[str] = frozenset()
        self._described = SdpFragment()
        self._closing: asyncio.Task[None] | None = None
        # An empty list of servers, because none at all means a public one, and a wait for it where it is out of reach.
        ours = [RTCIceServer(server.uri, server.username or None, server.password or None) for server in servers]
        self._connection = RTCPeerConnection(RTCConfiguration(ours, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._connection.on("connectionstatechange", lambda: events.state_changed(self._connection.connectionState))
        self._connection.on("datachannel", self._take_channel)
        self._track = PiCameraTrack()
        self._transceiver = self._connection.addTransceiver(self._track, direction="sendonly")
        self._transceiver.setCodecPreferences(_preferences(self._codecs))
        _DirectSender.adopt(self._transceiver.sender, self._track, events, bench)

    async def make_offer(self) -> str:
        """Our offer, with every candidate in it."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def take_answer(self, answer_sdp: str) -> None:
        """Raises MalformedOffer or UnusableOffer."""
        answer = _parsed(answer_sdp)
        self._track.codec = first_common(video_of(answer, "answer"), self._codecs, "answer")
        await self._set_remote(answer, answer_sdp, "answer")

    async def make_answer(self, offer_sdp: str) -> str:
        """Our answer to a viewer's offer, with every candidate in it. Raises MalformedOffer or UnusableOffer."""
        offer = _parsed(offer_sdp)
        first_common(video_of(offer, "offer"), self._codecs, "offer")
        await self._set_remote(offer, offer_sdp, "offer")
        self._prefer_dtls_server()
        try:
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except Exception as error:
            # aiortc trips over contradictions in an offer, such as one name for two sections.
            raise UnusableOffer(f"the offer has no answer: {one_line(error)}") from error
        answer_sdp = self._connection.localDescription.sdp
        # What was negotiated, because profiles and modes narrow down what the offer seems to allow.
        self._track.codec = first_common(video_of(_parsed(answer_sdp), "answer"), self._codecs, "answer")
        return answer_sdp

    async def add_candidates(self, fragment: SdpFragment | None = None) -> None:
        """Add the viewer's candidates, those of its description by default; what does not resolve is dropped.

        Takes as long as resolving a name does, a second.
        """
        candidates = [sdp.candidate_from_sdp(text) for text in (fragment or self._described).candidates]
        for candidate in candidates:
            candidate.sdpMid = self._transport_mid
        await asyncio.gather(*(self._connection.addIceCandidate(candidate) for candidate in candidates))

    def knows_ufrag(self, ufrag: str) -> bool:
        """Whether a fragment with that ICE user name belongs to this connection."""
        return ufrag in self._ufrags

    async def close(self) -> None:
        """Idempotent."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        # Not wait_for: it would cancel what everybody else who closes waits for.
        done, _ = await asyncio.wait((self._closing,), timeout=CLOSE_TIMEOUT_S)
        if not done:
            logger.warning("A connection did not close within %g s and is left to itself", CLOSE_TIMEOUT_S)
        elif not self._closing.cancelled() and (error := self._closing.exception()) is not None:
            logger.warning("A connection did not close properly: %r", error)

    async def _close(self) -> None:
        was_connecting = self._connection.connectionState == "connecting"
        await self._connection.close()
        if was_connecting:
            await self._end_what_came_late()

    async def _end_what_came_late(self) -> None:
        """A connection may come about while it is closed; its sender and ICE's checks for consent then run for ever."""
        await asyncio.sleep(ICE_NOTICE_S)
        await self._transceiver.sender.stop()
        ice = getattr(self._transceiver.receiver.transport.transport, "_connection", None)
        if ice is not None:
            await ice.close()

    async def _set_remote(self, parsed: sdp.SessionDescription, text: str, kind: str) -> None:
        # Names among the candidates would hold up the answer, one after the other.
        rest, self._described = without_candidates(text)
        description = RTCSessionDescription(rest, kind)
        # The transport of bundled sections is that of the first one.
        self._transport_mid = parsed.media[0].rtp.muxId
        self._ufrags = frozenset(media.ice.usernameFragment or "" for media in parsed.media if media.ice)
        try:
            await self._connection.setRemoteDescription(description)
        except OperationError as error:
            raise UnusableOffer(f"the {description.type} has no codec in common with us: {error}") from error
        except InvalidStateError as error:
            raise UnusableOffer(f"the {description.type} comes out of turn: {error}") from error
        except Exception as error:
            raise MalformedOffer(f"the {description.type} cannot be used: {one_line(error)}") from error

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == metadata.LABEL:
            self._track.metadata = MetadataChannel(channel)
            channel.on("message", self._track.metadata.receive)

    def _prefer_dtls_server(self) -> None:
        """Be passive where the viewer leaves us the choice: as the DTLS client aiortc fails with GStreamer 1.22."""
        transports = [self._transceiver.receiver.transport]
        if self._connection.sctp is not None:
            transports.append(self._connection.sctp.transport)
        for transport in transports:
            if getattr(transport, "_role", None) == "auto" and hasattr(transport, "_set_role"):
                transport._set_role("server")


class _DirectSender(RTCRtpSender):
    """aiortc's sender, with its packet loop and its handling of feedback replaced."""

    _camera_track: PiCameraTrack
    _events: PeerEvents
    _bench: Workbench
    _clock: SenderClock
    _outlet: RtpOutlet | None
    _parameters: RTCRtpSendParameters

    @classmethod
    def adopt(cls, sender: RTCRtpSender, track: PiCameraTrack, events: PeerEvents, bench: Workbench) -> None:
        """Takes the place of a constructor: aiortc makes its senders itself, so they have to change their class."""
        sender.__class__ = cls
        direct = cast(_DirectSender, sender)
        direct._camera_track, direct._events, direct._bench = track, events, bench
        direct._clock = SenderClock()
        direct._outlet = None

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
        outlet = RtpOutlet(self._rtp_parameters(codec), protector, path, lambda: track.metadata, self._bench)
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


SENDER_METHODS = {
    "_run_rtp": ["self", "codec"],
    "_send_rtcp": ["self", "packets"],
    "_handle_rtcp_packet": ["self", "packet"],
    "send": ["self", "parameters"],
}
SENDER_MEMBERS = ("_ssrc", "_rtx_ssrc", "_RTCRtpSender__rtp_started", "_RTCRtpSender__rtp_exited")
RTCP_NAMES = (
    *("RtcpSrPacket", "RtcpRrPacket", "RtcpRtpfbPacket", "RtcpPsfbPacket", "unpack_remb_fci"),
    *("RTCP_RTPFB_NACK", "RTCP_PSFB_PLI", "RTCP_PSFB_FIR", "RTCP_PSFB_APP"),
)


def check_aiortc() -> None:
    """Raises DependencyError when something of this aiortc is not as our outlet needs it."""
    for name, parameters in SENDER_METHODS.items():
        method = getattr(RTCRtpSender, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            raise _unusable(f"RTCRtpSender.{name}")
    for name in RTCP_NAMES:
        if not hasattr(aiortc_rtp, name):
            raise _unusable(f"rtp.{name}")
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[])).addTransceiver("video").sender
    dtls = sender.transport
    ice = getattr(dtls.transport, "_connection", None)
    members: list[tuple[object, str]] = [(sender, name) for name in SENDER_MEMBERS]
    members += [(dtls, "_tx_srtp"), (dtls, "_rtp_router"), (ice, "_nominated")]
    for owner, name in members:
        if not hasattr(owner, name):
            raise _unusable(f"{type(owner).__name__}.{name}")


def _unusable(member: str) -> DependencyError:
    return DependencyError(
        f"aiortc {aiortc.__version__} cannot be used: its {member} is missing or different; "
        "install a version that picam_webrtc is tested with: pip install 'aiortc>=1.14,<1.17'"
    )


def negotiate_playout_delay() -> None:
    """Have aiortc negotiate the playout delay header extension, by which browsers show frames without a delay."""
    extensions = getattr(aiortc_codecs, "HEADER_EXTENSIONS", {}).get("video", [])
    if extensions and not any(extension.uri == PLAYOUT_DELAY_URI for extension in extensions):
        number = max(extension.id for extension in extensions) + 1
        extensions.append(RTCRtpHeaderExtensionParameters(id=number, uri=PLAYOUT_DELAY_URI))


def _preferences(codecs: Sequence[Codec]) -> list[RTCRtpCodecCapability]:
    """Our codecs in our order, with retransmission."""
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    return [one for mime in formats(codecs) for one in capabilities if one.mimeType.lower() == mime]


def _parsed(text: str) -> sdp.SessionDescription:
    try:
        description = sdp.SessionDescription.parse(text)
    except Exception as error:
        raise MalformedOffer(f"not a session description: {one_line(error)}") from error
    check(description)
    return description

"""One WebRTC connection (the only user of aiortc).

Coded frames leave by our own `RtpOutlet`, which takes the place of aiortc's packet loop. That needs members of aiortc
that it does not promise; where they are missing or different, frames leave through aiortc's own sender, as packets that
it does not encode again: slower, and as correct.
"""

import asyncio
import contextlib
import inspect
import logging
import struct
import time
from collections.abc import Sequence
from typing import Any, cast

import aiortc
import av
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
from aiortc.rtcrtpparameters import (
    RTCRtpCodecCapability,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)

from picam_webrtc.detection import Detections
from picam_webrtc.errors import MalformedOffer, UnusableOffer
from picam_webrtc.latest import NEWEST_ALONE
from picam_webrtc.streaming import metadata
from picam_webrtc.streaming.description import check, first_common, formats, one_line, retransmits, video_of
from picam_webrtc.streaming.encoder import TIME_BASE
from picam_webrtc.streaming.events import PeerEvents
from picam_webrtc.streaming.ice import IceServer
from picam_webrtc.streaming.metadata import MetadataChannel, RtpOrigin
from picam_webrtc.streaming.outlet import OutletCounts, RtpOutlet, Workbench
from picam_webrtc.streaming.path import CurrentPath
from picam_webrtc.streaming.rendition import Codec, EncodedFrame
from picam_webrtc.streaming.reports import SenderClock, make_report
from picam_webrtc.streaming.rtp import PLAYOUT_DELAY_URI, ExtensionLayout, RtpParameters
from picam_webrtc.streaming.srtp import Protector
from picam_webrtc.streaming.trickle import SdpFragment, without_candidates

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 30
"""Coded frames that wait for aiortc's sender: a second; a sender that is slower skips to the next key frame."""
CLOSE_TIMEOUT_S = 5.0
ICE_COMPONENT = 1
ICE_NOTICE_S = 0.05
"""aioice looks every 20 ms whether its checks are done."""


class PiCameraTrack(MediaStreamTrack):
    """An `Outlet` on one side, a track of coded packets for aiortc's own sender on the other."""

    kind = "video"
    path = "aiortc"
    most_waiting = NEWEST_ALONE

    def __init__(self, events: PeerEvents) -> None:
        super().__init__()
        self.codec: Codec | None = None
        self.counts = OutletCounts()
        self.metadata: MetadataChannel | None = None
        self.sender: RTCRtpSender | None = None
        self._owner = events
        self._started = False
        self._queue: asyncio.Queue[EncodedFrame] = asyncio.Queue(QUEUE_LIMIT)
        self._origin = RtpOrigin()

    def send(self, frame: EncodedFrame) -> bool:
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            return False
        self._queue.put_nowait(frame)
        self.counts.packets += len(frame.payloads)
        self.counts.bytes += frame.payload_bytes
        return True

    def packet_index(self, _sequence: int, /) -> int | None:
        return None

    def resend(self, frame: EncodedFrame, number: int) -> None:
        """aiortc answers requests for lost packets itself."""

    def describe(self, frame: EncodedFrame) -> None:
        """`recv` does, since aiortc's sender has its own idea of a frame's timestamp."""

    def tell(self, detections: Detections) -> None:
        if self.metadata is not None:
            self.metadata.send_detections(detections)

    async def recv(self) -> "av.Packet[Any]":
        """The next coded frame; the sender's first call says that it is connected."""
        if not self._started and self.codec is not None:
            self._started = True
            self._owner.started(self.codec, self)
        # Private, as there is no other way to know it; without it viewers lack metadata only.
        self._origin.learn(getattr(self.sender, "_RTCRtpSender__rtp_timestamp", None), self.metadata)
        frame = await self._queue.get()
        self._origin.describe(frame, self.metadata)
        await asyncio.sleep(0)  # the data channel's turn: what belongs to a frame goes out before it
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, TIME_BASE
        return packet


class Peer:
    """A connection that sends one video; closed for good after `close` or a failure."""

    def __init__(
        self, codecs: Sequence[Codec], events: PeerEvents, bench: Workbench | None, servers: Sequence[IceServer] = ()
    ) -> None:
        """With a `bench`, frames leave by our own outlet; it takes `direct_path_obstacle` to be None."""
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
        self._track = PiCameraTrack(events)
        self._transceiver = self._connection.addTransceiver(self._track, direction="sendonly")
        self._transceiver.setCodecPreferences(_preferences(self._codecs))
        self._track.sender = sender = self._transceiver.sender
        if bench is not None:
            _DirectSender.adopt(sender, self._track, events, bench)
        else:
            _divert_keyframe_requests(sender, events)

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

    async def poll(self) -> None:
        """Look up what aiortc's own sender does not tell by itself."""
        if isinstance(self._transceiver.sender, _DirectSender):
            return
        for stats in (await self._transceiver.sender.getStats()).values():
            if stats.type == "remote-inbound-rtp":
                report = make_report(stats.fractionLost, stats.packetsLost, stats.jitter, stats.roundTripTime)
                self._events.reported(report)

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
            try:
                self._outlet = self._open_outlet(codec, stack)
            except (AttributeError, KeyError, TypeError, OSError, pylibsrtp.Error) as error:
                logger.warning("A viewer is served by aiortc's own sender, which is slower: %s", one_line(error))
                stack.close()
                _divert_keyframe_requests(self, self._events)
                await super()._run_rtp(codec)
                return
            self._RTCRtpSender__rtp_started.set()  # type: ignore[attr-defined]
            stack.callback(self._RTCRtpSender__rtp_exited.set)  # type: ignore[attr-defined]
            stack.callback(self._camera_track.stop)
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
            await super()._handle_rtcp_packet(packet)
        elif isinstance(packet, aiortc_rtp.RtcpRrPacket | aiortc_rtp.RtcpSrPacket):
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


def _divert_keyframe_requests(sender: RTCRtpSender, events: PeerEvents) -> None:
    """aiortc notes a viewer's request for an encoder that it does not run here: hear of it instead."""
    if hasattr(sender, "_send_keyframe"):
        sender._send_keyframe = events.keyframe_requested  # type: ignore[method-assign]


SENDER_METHODS = {
    "_run_rtp": ["self", "codec"],
    "_send_rtcp": ["self", "packets"],
    "_handle_rtcp_packet": ["self", "packet"],
    "_send_keyframe": ["self"],
    "send": ["self", "parameters"],
}
SENDER_MEMBERS = ("_ssrc", "_rtx_ssrc", "_RTCRtpSender__rtp_started", "_RTCRtpSender__rtp_exited")
RTCP_NAMES = (
    *("RtcpSrPacket", "RtcpRrPacket", "RtcpRtpfbPacket", "RtcpPsfbPacket", "unpack_remb_fci"),
    *("RTCP_RTPFB_NACK", "RTCP_PSFB_PLI", "RTCP_PSFB_FIR", "RTCP_PSFB_APP"),
)


def direct_path_obstacle() -> str | None:
    """What of this aiortc is not as our own outlet needs it; None if all is."""
    for name, parameters in SENDER_METHODS.items():
        method = getattr(RTCRtpSender, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            return f"aiortc {aiortc.__version__}: RTCRtpSender.{name} has changed"
    for name in RTCP_NAMES:
        if not hasattr(aiortc_rtp, name):
            return f"aiortc {aiortc.__version__}: rtp.{name} is missing"
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[])).addTransceiver("video").sender
    dtls = sender.transport
    ice = getattr(dtls.transport, "_connection", None)
    members: list[tuple[object, str]] = [(sender, name) for name in SENDER_MEMBERS]
    members += [(dtls, "_tx_srtp"), (dtls, "_rtp_router"), (ice, "_nominated")]
    for owner, name in members:
        if not hasattr(owner, name):
            return f"aiortc {aiortc.__version__}: {type(owner).__name__}.{name} is missing"
    return None


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

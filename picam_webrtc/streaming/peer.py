"""One WebRTC connection (the only user of aiortc).

Coded frames go through aiortc's own sender, as packets that it does not encode again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
    sdp,
)
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpCodecParameters

from picam_webrtc.detection import Detections
from picam_webrtc.errors import MalformedOffer, UnusableOffer
from picam_webrtc.streaming import metadata
from picam_webrtc.streaming.encoder import TIME_BASE
from picam_webrtc.streaming.metadata import MetadataChannel
from picam_webrtc.streaming.rendition import Codec, EncodedFrame
from picam_webrtc.streaming.trickle import SdpFragment

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 30
"""Coded frames that wait for aiortc's sender: a second; a sender that is slower skips to the next key frame."""
CLOSE_TIMEOUT_S = 5.0
RTP_TIMESTAMPS = 1 << 32
MIME_TYPES = {Codec.H264: "video/h264", Codec.VP8: "video/vp8"}


class PiCameraTrack(MediaStreamTrack):
    """A viewer's subscription to a stream: an `Outlet` on one side, a track of coded packets on the other."""

    kind = "video"

    def __init__(self, on_started: Callable[[], None]) -> None:
        super().__init__()
        self.metadata: MetadataChannel | None = None
        self.sent_rtp_timestamp: Callable[[], int | None] = lambda: None
        self._on_started: Callable[[], None] | None = on_started
        self._queue: asyncio.Queue[EncodedFrame] = asyncio.Queue(QUEUE_LIMIT)
        self._previous: EncodedFrame | None = None
        self._rtp_origin: int | None = None

    def send(self, frame: EncodedFrame) -> bool:
        """See `Outlet`."""
        try:
            self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            while not self._queue.empty():
                self._queue.get_nowait()
            return False
        return True

    def tell(self, detections: Detections) -> None:
        """See `Outlet`."""
        if self.metadata is not None:
            self.metadata.send_detections(detections)

    async def recv(self) -> "av.Packet[Any]":
        """The next coded frame; the sender's first call says that it is connected."""
        if self._on_started is not None:
            started, self._on_started = self._on_started, None
            started()
        self._learn_rtp_origin()
        frame = await self._queue.get()
        self._describe(frame)
        self._previous = frame
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, TIME_BASE
        return packet

    def _learn_rtp_origin(self) -> None:
        """The sender counts from a random number that it keeps to itself, until the first frame has gone out."""
        if self._rtp_origin is not None or self._previous is None:
            return
        sent = self.sent_rtp_timestamp()
        if sent is not None:
            self._rtp_origin = sent - self._previous.timestamp
            self._describe(self._previous)

    def _describe(self, frame: EncodedFrame) -> None:
        """Before the frame itself is sent, because what belongs to it must not come after it."""
        if self.metadata is not None and self._rtp_origin is not None:
            self.metadata.send_frame(frame, (self._rtp_origin + frame.timestamp) % RTP_TIMESTAMPS)


class Peer:
    """A connection that sends one video; closed for good after `close` or a failure.

    `on_state` is told `connected`, `failed` and `closed`; `on_started` when frames can be sent, with the codec
    that was negotiated and the outlet to send them through; `on_keyframe_request` when the viewer needs a key frame.
    """

    def __init__(
        self,
        codecs: Sequence[Codec],
        *,
        on_state: Callable[[str], None],
        on_started: Callable[[Codec, PiCameraTrack], None],
        on_keyframe_request: Callable[[], None],
    ) -> None:
        self._codecs = tuple(codecs)
        self._on_started = on_started
        self._codec: Codec | None = None
        self._transport_mid = ""
        self._ufrags: frozenset[str] = frozenset()
        # An empty list of servers, because none at all means a public one, and a wait for it where it is out of reach.
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("connectionstatechange", lambda: on_state(self._connection.connectionState))
        self._connection.on("datachannel", self._take_channel)
        self._track = PiCameraTrack(self._started)
        self._transceiver = self._connection.addTransceiver(self._track, direction="sendonly")
        self._transceiver.setCodecPreferences(_preferences(self._codecs))
        sender = self._transceiver.sender
        _divert_keyframe_requests(sender, on_keyframe_request)
        # Private, as there is no other way to know it; without it viewers lack metadata only.
        self._track.sent_rtp_timestamp = lambda: getattr(sender, "_RTCRtpSender__rtp_timestamp", None)

    async def make_offer(self) -> str:
        """Our offer, with every candidate in it."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def take_answer(self, answer_sdp: str) -> None:
        """Raises MalformedOffer or UnusableOffer."""
        answer = _parsed(answer_sdp)
        self._codec = _first_common(_video_of(answer, "answer"), self._codecs, "answer")
        await self._set_remote(answer, RTCSessionDescription(answer_sdp, "answer"))

    async def make_answer(self, offer_sdp: str) -> str:
        """Our answer to a viewer's offer, with every candidate in it. Raises MalformedOffer or UnusableOffer."""
        offer = _parsed(offer_sdp)
        _first_common(_video_of(offer, "offer"), self._codecs, "offer")
        await self._set_remote(offer, RTCSessionDescription(offer_sdp, "offer"))
        _prefer_dtls_server(self._transceiver, self._connection)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        answer_sdp = self._connection.localDescription.sdp
        # What was negotiated, because profiles and modes narrow down what the offer seems to allow.
        self._codec = _first_common(_video_of(_parsed(answer_sdp), "answer"), self._codecs, "answer")
        return answer_sdp

    async def add_candidates(self, fragment: SdpFragment) -> None:
        """Add what the viewer found later; a candidate that does not resolve is dropped."""
        for text in fragment.candidates:
            candidate = sdp.candidate_from_sdp(text)
            candidate.sdpMid = self._transport_mid
            await self._connection.addIceCandidate(candidate)
        if fragment.complete:
            await self._connection.addIceCandidate(None)

    def knows_ufrag(self, ufrag: str) -> bool:
        """Whether a fragment with that ICE user name belongs to this connection."""
        return ufrag in self._ufrags

    async def close(self) -> None:
        """Idempotent."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_TIMEOUT_S)
        except TimeoutError:
            logger.warning("A connection did not close within %g s and is left to itself", CLOSE_TIMEOUT_S)

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == metadata.LABEL:
            self._track.metadata = MetadataChannel(channel)
            channel.on("message", self._track.metadata.receive)

    def _started(self) -> None:
        if self._codec is not None:
            self._on_started(self._codec, self._track)

    async def _set_remote(self, parsed: sdp.SessionDescription, description: RTCSessionDescription) -> None:
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
            raise MalformedOffer(f"the {description.type} cannot be used: {_one_line(error)}") from error


def _preferences(codecs: Sequence[Codec]) -> list[RTCRtpCodecCapability]:
    """Our codecs in our order, with retransmission."""
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    wanted = [*(MIME_TYPES[codec] for codec in codecs), "video/rtx"]
    return [capability for mime in wanted for capability in capabilities if capability.mimeType.lower() == mime]


def _parsed(text: str) -> sdp.SessionDescription:
    try:
        description = sdp.SessionDescription.parse(text)
    except Exception as error:
        raise MalformedOffer(f"not a session description: {_one_line(error)}") from error
    if not description.media:
        raise MalformedOffer("not a session description: it has no media section")
    for media in description.media:
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise MalformedOffer("the session description has no ICE user name or password")
        if media.dtls is None or not media.dtls.fingerprints:
            raise MalformedOffer("the session description has no DTLS fingerprint")
    return description


def _video_of(description: sdp.SessionDescription, what: str) -> sdp.MediaDescription:
    """The video section that wants to receive."""
    videos = [media for media in description.media if media.kind == "video"]
    if not videos:
        raise UnusableOffer(f"the {what} has no video section")
    if what == "offer" and videos[0].direction not in (None, "recvonly", "sendrecv"):
        raise UnusableOffer(f"the offer's video is {videos[0].direction}; it must be recvonly or sendrecv")
    return videos[0]


def _first_common(media: sdp.MediaDescription, codecs: Sequence[Codec], what: str) -> Codec:
    """The first of our codecs that the viewer has, too."""
    offered = {codec.mimeType.lower() for codec in media.rtp.codecs if _packetized_as_ours(codec)}
    for codec in codecs:
        if MIME_TYPES[codec] in offered:
            return codec
    raise UnusableOffer(f"the {what} has none of our codecs: {', '.join(codecs)}")


def _packetized_as_ours(codec: RTCRtpCodecParameters) -> bool:
    """H.264 in single NAL units only (mode 0, RFC 6184) cannot carry our key frames."""
    return codec.mimeType.lower() != MIME_TYPES[Codec.H264] or codec.parameters.get("packetization-mode") == "1"


def _prefer_dtls_server(transceiver: RTCRtpTransceiver, connection: RTCPeerConnection) -> None:
    """Take the passive role where the viewer leaves us the choice: aiortc as the client fails with GStreamer 1.22."""
    transports = [transceiver.receiver.transport]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for transport in transports:
        if getattr(transport, "_role", None) == "auto" and hasattr(transport, "_set_role"):
            transport._set_role("server")


def _divert_keyframe_requests(sender: RTCRtpSender, on_request: Callable[[], None]) -> None:
    """aiortc notes a viewer's request for the encoder that it does not run here; hear of it instead."""
    if hasattr(sender, "_send_keyframe"):
        sender._send_keyframe = on_request  # type: ignore[method-assign]


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__

"""One WebRTC connection, by aiortc."""

import asyncio
import logging
from collections.abc import Sequence

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
    sdp,
)
from aiortc.exceptions import InvalidStateError, OperationError

from picam_webrtc.errors import MalformedOffer, UnusableOffer
from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.fanout import metadata
from picam_webrtc.streaming.fanout.metadata import MetadataChannel
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.rtp.outlet import SendBuffers
from picam_webrtc.streaming.session.description import first_common, one_line, video_of
from picam_webrtc.streaming.session.direct_sender import PiCameraTrack, adopt
from picam_webrtc.streaming.session.events import PeerEvents
from picam_webrtc.streaming.session.negotiation import parsed, preferences
from picam_webrtc.streaming.session.trickle import SdpFragment, without_candidates

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
ICE_NOTICE_S = 0.05
"""aioice looks every 20 ms whether its checks are done."""


class Peer:
    """A connection that sends one video; closed for good after `close` or a failure."""

    def __init__(
        self, codecs: Sequence[Codec], events: PeerEvents, buffers: SendBuffers, servers: Sequence[IceServer] = ()
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
        self._transceiver.setCodecPreferences(preferences(self._codecs))
        adopt(self._transceiver.sender, self._track, events, buffers)

    async def make_offer(self) -> str:
        """Our offer, with every candidate in it."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def take_answer(self, answer_sdp: str) -> None:
        """Raises MalformedOffer or UnusableOffer."""
        answer = parsed(answer_sdp)
        self._track.codec = first_common(video_of(answer, "answer"), self._codecs, "answer")
        await self._set_remote(answer, answer_sdp, "answer")

    async def make_answer(self, offer_sdp: str) -> str:
        """Our answer to a viewer's offer, with every candidate in it. Raises MalformedOffer or UnusableOffer."""
        offer = parsed(offer_sdp)
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
        self._track.codec = first_common(video_of(parsed(answer_sdp), "answer"), self._codecs, "answer")
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

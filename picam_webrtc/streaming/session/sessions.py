"""The viewers' sessions: made, connected, reaped and closed. Everything here runs on the asyncio loop."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

from picam_webrtc.errors import (
    NoLiveSource,
    SettingError,
    TooManyViewers,
    UnknownSession,
    UnknownStream,
    UnusableOffer,
)
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.jpeg import JpegPicture
from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.fanout.snapshot import SessionsSnapshot, ViewerSnapshot
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.rtp.outlet import SendBuffers
from picam_webrtc.streaming.rtp.packets import TemplateCache
from picam_webrtc.streaming.rtp.srtp import Scratch
from picam_webrtc.streaming.session.aiortc_check import check_aiortc
from picam_webrtc.streaming.session.negotiation import negotiate_playout_delay
from picam_webrtc.streaming.session.peer import Peer
from picam_webrtc.streaming.session.ports import ice_ports, udp_ports
from picam_webrtc.streaming.session.session import Session
from picam_webrtc.streaming.session.trickle import parse_fragment

logger = logging.getLogger(__name__)

MOST_PENDING_CANDIDATES = 16
"""Candidate fragments of one session that are being resolved at a time; names take up to a second each."""
ADAPTATION_INTERVAL_S = 0.5


class Sessions:
    """All sessions of all streams, the first stream being the default; an async context manager."""

    def __init__(
        self,
        streams: Sequence[Stream],
        settings: WebRtcSettings,
        on_viewers: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """`on_viewers` is told on the loop how many viewers are connected, each time that changes."""
        self._streams = {stream.name: stream for stream in streams}
        self._settings = settings
        self._codecs = codec_preference(settings.codecs)
        self._ports = ice_ports(settings)
        self._on_viewers = on_viewers
        self._connected: set[str] = set()
        self._buffers = SendBuffers(TemplateCache(), Scratch())
        self._open: dict[str, tuple[Session, Peer]] = {}
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolving: Counter[str] = Counter()
        self._plain_viewers: Counter[str] = Counter()
        self._connections_failed = 0
        self._adaptation_error = ""

    async def __aenter__(self) -> Self:
        """Raises DependencyError."""
        check_aiortc()
        negotiate_playout_delay()
        self._start(self._keep_adapting())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Not by `close`, because a session may end by itself while others are being closed.
        await asyncio.gather(*(peer.close() for _, peer in list(self._open.values())))
        for session, _ in list(self._open.values()):
            self._forget(session)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))

    @property
    def stream_names(self) -> tuple[str, ...]:
        """In the order in which they were added."""
        return tuple(self._streams)

    def add(self, stream: Stream) -> None:
        """Serve one more stream from now on; its name must be free."""
        self._streams[stream.name] = stream

    async def remove(self, name: str) -> None:
        """Serve a stream no longer, and end its sessions. Raises UnknownStream."""
        stream = self._stream(name)
        del self._streams[name]
        ending = [session.id for session, _ in self._open.values() if session.stream is stream]
        await asyncio.gather(*(self.close(session_id) for session_id in ending))
        await stream.close()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, session_id: str) -> Session:
        """Raises UnknownSession."""
        return self._entry(session_id)[0]

    async def answer(self, stream_name: str, offer_sdp: str, address: str = "") -> Session:
        """A session for a viewer that made an offer (WHEP).

        Raises UnknownStream, NoLiveSource, TooManyViewers, MalformedOffer or UnusableOffer.
        """
        session, peer = self._create(stream_name, address)
        await self._set_description(session, peer.make_answer(offer_sdp))
        self._start(peer.add_candidates())
        logger.info("Returning answer for PeerConnection: %s", session)
        return session

    async def offer(self, stream_name: str, address: str = "") -> Session:
        """A session with an offer of ours, which waits for `accept`. Raises as `answer` does."""
        session, peer = self._create(stream_name, address)
        await self._set_description(session, peer.make_offer())
        logger.info("Returning offer for PeerConnection: %s", session)
        return session

    async def publish(self, stream_name: str, address: str = "", ice_servers: Sequence[IceServer] = ()) -> Session:
        """A session with an offer of ours to a media server, which waits for `accept`, and then for `resume`.

        Takes no viewer's place. Raises UnknownStream or NoLiveSource.
        """
        session = Session(self._live_stream(stream_name), address, self._state_changed, publishes=True)
        peer = self._connect(session, ice_servers)
        await self._set_description(session, peer.make_offer())
        return session

    async def accept(self, session_id: str, answer_sdp: str) -> None:
        """The viewer's answer to our offer. Raises UnknownSession, MalformedOffer or UnusableOffer."""
        _, peer = self._entry(session_id)
        await peer.take_answer(answer_sdp)
        self._start(peer.add_candidates())

    async def add_candidates(self, session_id: str, sdpfrag: str) -> None:
        """Candidates that the viewer found later (RFC 8840); they are resolved in the background.

        Raises UnknownSession, MalformedOffer, or UnusableOffer for an ICE restart. The session lives on.
        """
        session, peer = self._entry(session_id)
        fragment = parse_fragment(sdpfrag)
        if fragment.ufrag and not peer.knows_ufrag(fragment.ufrag):
            raise UnusableOffer("ICE restarts are not supported; make a new session")
        if self._resolving[session.id] >= MOST_PENDING_CANDIDATES:
            raise UnusableOffer("too many candidates at once")
        self._resolving[session.id] += 1
        task = self._start(peer.add_candidates(fragment))
        task.add_done_callback(lambda _: self._resolved(session.id))

    async def close(self, session_id: str) -> None:
        """End a session and free everything it holds. Raises UnknownSession."""
        session, peer = self._entry(session_id)
        await peer.close()
        # A peer that could not close in time has not said so.
        self._forget(session)

    async def pictures(self, stream_name: str, address: str = "") -> AsyncGenerator[JpegPicture]:
        """The stream as plain pictures, for a viewer that holds a place while it takes them.

        To be closed (`contextlib.aclosing`) when done. Raises UnknownStream, NoLiveSource or TooManyViewers.
        """
        stream = self._stream(stream_name)
        self._check_room(address)
        self._check_live(stream)
        self._plain_viewers[address] += 1
        try:
            async with aclosing(stream.pictures()) as pictures:
                async for picture in pictures:
                    yield picture
        finally:
            self._plain_viewers[address] -= 1

    def apply(self, settings: WebRtcSettings) -> None:
        """Take over changed parameters while running."""
        self._settings = settings
        for stream in self._streams.values():
            stream.apply(settings)

    def snapshot(self) -> SessionsSnapshot:
        """Everything that can be known just now."""
        viewers: dict[str, list[ViewerSnapshot]] = {name: [] for name in self.stream_names}
        for session, _ in self._open.values():
            viewers[session.stream.name].append(session.snapshot())
        streams = self._streams.values()
        return SessionsSnapshot(
            tuple(stream.snapshot(tuple(viewers[stream.name])) for stream in streams),
            self._connections_failed,
            self._adaptation_error,
        )

    def _create(self, stream_name: str, address: str) -> tuple[Session, Peer]:
        logger.info("Received WebRTC request")
        self._stream(stream_name)
        self._check_room(address)
        session = Session(self._live_stream(stream_name), address, self._state_changed)
        peer = self._connect(session)
        session.resume()
        logger.debug("Added subscribed PiCameraTrack to PeerConnection: %s", session)
        return session, peer

    def _live_stream(self, name: str) -> Stream:
        stream = self._stream(name)
        self._check_live(stream)
        return stream

    def _connect(self, session: Session, ice_servers: Sequence[IceServer] = ()) -> Peer:
        """A connection for the session, which it owns, and a deadline."""
        peer = Peer(self._codecs, session, self._buffers, ice_servers)
        logger.info("Created new PeerConnection with id: %s", session)
        self._open[session.id] = session, peer
        loop = asyncio.get_running_loop()
        self._deadlines[session.id] = loop.call_later(self._settings.connect_timeout, self._reap, session)
        return peer

    def _check_room(self, address: str) -> None:
        """Whoever connects holds a place as whoever watches does, but of those there may be only a few."""
        limits = self._settings
        viewers = [session for session, _ in self._open.values() if not session.publishes]
        if len(viewers) + self._plain_viewers.total() >= limits.max_viewers:
            raise TooManyViewers(f"all {limits.max_viewers} places for viewers are taken; try again later")
        if sum(session.id in self._deadlines for session in viewers) >= limits.max_pending_sessions:
            raise TooManyViewers(f"{limits.max_pending_sessions} viewers are connecting already; try again later")
        neighbours = sum(session.address == address for session in viewers) + self._plain_viewers[address]
        if address and neighbours >= limits.max_viewers_per_address:
            raise TooManyViewers(f"all {limits.max_viewers_per_address} places for one address are taken")

    @staticmethod
    def _check_live(stream: Stream) -> None:
        if not stream.is_live():
            raise NoLiveSource(f"nobody publishes frames for stream {stream.name!r} yet; try again later")

    async def _set_description(self, session: Session, making: Coroutine[Any, Any, str]) -> None:
        """Set the session's description; close it if that fails or is cancelled."""
        # Shielded, because sockets of a half-finished search for candidates would stay open.
        with udp_ports(self._ports):
            task = asyncio.ensure_future(making)
        try:
            session.sdp = await asyncio.shield(task)
            if "a=candidate:" not in session.sdp:
                raise TooManyViewers("no UDP port is free, see ice_port_min and ice_port_max; try again later")
        except BaseException:
            await asyncio.wait([task])
            if session.id in self._open:
                await self.close(session.id)
            raise
        logger.debug("Created and set local description for PeerConnection: %s", session)

    def _stream(self, name: str) -> Stream:
        try:
            return self._streams[name]
        except KeyError:
            raise UnknownStream(f"no stream {name!r}; there are: {', '.join(self._streams) or 'none'}") from None

    def _entry(self, session_id: str) -> tuple[Session, Peer]:
        try:
            return self._open[session_id]
        except KeyError:
            raise UnknownSession(f"no session {session_id!r}: it has ended or never was") from None

    def _state_changed(self, session: Session, state: str) -> None:
        if state not in ("connected", "failed", "closed"):
            return
        logger.info("Connection state for %s is %s", session, state)
        if state == "connected":
            self._cancel_deadline(session)
            if not session.publishes:
                self._connected.add(session.id)
                self._on_viewers(len(self._connected))
        elif state == "failed":
            self._connections_failed += 1
            self._reap(session)
        else:
            self._forget(session)

    def _reap(self, session: Session) -> None:
        """Close a connection that failed, or did not come about in time."""
        if session.id in self._open:
            self._start(self._open[session.id][1].close())

    def _forget(self, session: Session) -> None:
        """Idempotent."""
        if self._open.pop(session.id, None) is None:
            return
        self._cancel_deadline(session)
        session.end()
        if session.id in self._connected:
            self._connected.remove(session.id)
            self._on_viewers(len(self._connected))
        logger.info("Connection %s closed. Removing from pcs.", session)

    async def _keep_adapting(self) -> None:
        while True:
            await asyncio.sleep(ADAPTATION_INTERVAL_S)
            errors = [self._adapt(stream) for stream in self._streams.values()]
            self._adaptation_error = next(filter(None, errors), "")

    def _adapt(self, stream: Stream) -> str:
        """Why that went wrong; empty when it did not. Whatever it was, the other streams and the next turn go on."""
        try:
            stream.adapt()
        except Exception as error:
            reason = f"{stream.name}: {error!r}"
            if reason != self._adaptation_error:
                logger.exception("Stream %r does not follow its viewers' links", stream.name)
            return reason
        return ""

    def _cancel_deadline(self, session: Session) -> None:
        deadline = self._deadlines.pop(session.id, None)
        if deadline is not None:
            deadline.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("Work for a session failed", exc_info=error)

    def _resolved(self, session_id: str) -> None:
        self._resolving[session_id] -= 1
        if not self._resolving[session_id]:
            del self._resolving[session_id]


def codec_preference(names: Sequence[str]) -> tuple[Codec, ...]:
    """Raises SettingError for an empty list or a codec that there is none of."""
    known = ", ".join(Codec)
    if not names:
        raise SettingError("codecs", names, f"name at least one of {known}")
    try:
        return tuple(dict.fromkeys(Codec(name.lower()) for name in names))
    except ValueError:
        raise SettingError("codecs", names, f"these codecs exist: {known}") from None

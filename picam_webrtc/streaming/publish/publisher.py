"""A stream sent to a media server by WHIP: once, for ever, whatever becomes of server and network."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from picam_webrtc.errors import MalformedOffer, NoLiveSource, PublishError, StreamError, UnknownSession, UnusableOffer
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.publish.backoff import BackOff
from picam_webrtc.streaming.publish.readers import ReaderWatch
from picam_webrtc.streaming.publish.targets import Target
from picam_webrtc.streaming.publish.whip import Accepted, WhipClient, origin

logger = logging.getLogger(__name__)

TICK_S = 0.5
SOURCE_POLL_S = 1.0
STEADY_S = 10.0
"""A connection that lasted this long was a good one: after it, the first try is made at once again."""
SILENCE_LIMIT_S = 10.0
"""Receivers report at least every 6.2 s (RFC 3550, 6.2 and 6.3.1). ICE itself takes 30 s to notice a dead server."""
ENDED = frozenset({"failed", "closed"})


class PublishedSession(Protocol):
    """A session with a media server; paused at first."""

    id: str
    sdp: str
    state: str

    @property
    def reports(self) -> int:
        """Receiver reports that have come so far."""

    def pause(self) -> None:
        """Send nothing and need no frames until `resume`. Both are idempotent."""

    def resume(self) -> None: ...


class PublishingSessions(Protocol):
    @property
    def stream_names(self) -> Sequence[str]: ...

    async def publish(
        self, stream_name: str, address: str = "", ice_servers: Sequence[IceServer] = ()
    ) -> PublishedSession:
        """Raises NoLiveSource."""

    async def accept(self, session_id: str, answer_sdp: str) -> None: ...

    async def close(self, session_id: str) -> None: ...


class PublishState(StrEnum):
    WAITING = "waiting for frames"
    CONNECTING = "connecting"
    PUBLISHING = "publishing"
    PAUSED = "paused, nobody reads"
    LOST = "not connected"
    ENDED = "ended"
    """By a defect of ours; it will not try again."""


@dataclass(frozen=True, slots=True)
class PublishSnapshot:
    """One stream's way to a media server; `server` is no more of its address than may be shown."""

    stream: str
    server: str
    state: PublishState
    connections: int
    failures: int
    error: str
    readers: int | None


class Timing(Protocol):
    """The clock that a publisher lives by."""

    def now_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealTime:
    def now_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SilenceWatch:
    """Notices a server that reported and does so no more."""

    def __init__(self, limit_s: float, now_s: float) -> None:
        self._limit_s = limit_s
        self._reports = 0
        self._heard_s = now_s

    def lasts(self, reports: int, now_s: float, *, paused: bool) -> bool:
        """Without packets there may be nothing to report, and a server that never reports is not thereby dead."""
        if reports != self._reports or paused:
            self._reports, self._heard_s = reports, now_s
        return self._reports > 0 and now_s - self._heard_s > self._limit_s


class Publisher:
    """Keeps one stream at one media server. `count` tells how many read it there, where that can be known."""

    def __init__(
        self,
        target: Target,
        sessions: PublishingSessions,
        whip: WhipClient,
        ice_servers: Sequence[IceServer] = (),
        count: Callable[[], Awaitable[int | None]] | None = None,
        *,
        timing: Timing | None = None,
        back_off: BackOff | None = None,
        silence_limit_s: float = SILENCE_LIMIT_S,
    ) -> None:
        self._target = target
        self._sessions = sessions
        self._whip = whip
        self._own_servers = tuple(ice_servers)
        self._named_servers: tuple[IceServer, ...] = ()
        self._count = count
        self._timing = timing or RealTime()
        self._back_off = back_off or BackOff()
        self._silence_limit_s = silence_limit_s
        self._state = PublishState.WAITING
        self._readers: int | None = None
        self._connections = self._failures = 0
        self._error = ""

    def snapshot(self) -> PublishSnapshot:
        return PublishSnapshot(
            self._target.stream,
            origin(self._target.endpoint),
            self._state,
            self._connections,
            self._failures,
            self._error,
            self._readers,
        )

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            await self._keep_publishing()
        except Exception as error:
            self._state, self._error = PublishState.ENDED, repr(error)
            raise

    async def _keep_publishing(self) -> None:
        while True:
            try:
                await self._publish()
            except NoLiveSource:
                self._state = PublishState.WAITING
                await self._timing.sleep(SOURCE_POLL_S)
            except StreamError as error:
                await self._wait_after(error)

    async def _publish(self) -> None:
        """One session, from the offer until it is lost, which is an error."""
        session = await self._sessions.publish(
            self._target.stream, self._target.endpoint.host or "", (*self._own_servers, *self._named_servers)
        )
        self._state = PublishState.CONNECTING
        accepted: Accepted | None = None
        try:
            accepted = await self._whip.offer(session.sdp)
            await self._sessions.accept(session.id, accepted.answer)
            await self._until_connected(session, accepted)
            await self._stay(session)
        finally:
            await self._end(session, accepted)

    async def _until_connected(self, session: PublishedSession, accepted: Accepted) -> None:
        while session.state != "connected":
            if session.state in ENDED:
                # They come with the answer, when our candidates have been gathered: they are for the next try.
                self._named_servers = accepted.ice_servers
                raise PublishError(f"no connection to {self._server} came about; see the parameter publish_ice_servers")
            await self._timing.sleep(TICK_S / 10)
        self._connections += 1
        self._error = ""
        logger.info("Publishing stream %r to %s", self._target.stream, self._server)

    async def _stay(self, session: PublishedSession) -> None:
        now_s = connected_s = self._timing.now_s()
        silence = SilenceWatch(self._silence_limit_s, now_s)
        count = self._count
        readers = ReaderWatch(count, session.pause, session.resume, now_s) if count is not None else None
        self._state = PublishState.PUBLISHING
        session.resume()
        while True:
            await self._timing.sleep(TICK_S)
            now_s = self._timing.now_s()
            if now_s - connected_s >= STEADY_S:
                self._back_off.reset()
            if session.state in ENDED:
                raise PublishError(f"the connection to {self._server} was lost")
            if readers is not None:
                await readers.follow(now_s)
                self._readers = readers.readers
                self._state = PublishState.PAUSED if readers.paused else PublishState.PUBLISHING
            if silence.lasts(session.reports, now_s, paused=self._state is PublishState.PAUSED):
                raise PublishError(f"{self._server} has said nothing for {self._silence_limit_s:g} s")

    async def _end(self, session: PublishedSession, accepted: Accepted | None) -> None:
        with suppress(UnknownSession):
            await self._sessions.close(session.id)
        if accepted is not None and accepted.resource is not None:
            await self._whip.end(accepted.resource)

    async def _wait_after(self, error: StreamError) -> None:
        # A description of theirs that we cannot use will not be another one in a second.
        unusable = isinstance(error, MalformedOffer | UnusableOffer)
        lasting = error.lasting if isinstance(error, PublishError) else unusable
        at_least_s = (error.retry_after_s if isinstance(error, PublishError) else None) or 0.0
        delay_s = self._back_off.delay_s(lasting=lasting, at_least_s=at_least_s)
        self._state = PublishState.LOST
        self._readers = None
        self._failures += 1
        level = logging.WARNING if str(error) != self._error else logging.DEBUG
        logger.log(level, "Stream %r is not published: %s. Next try in %.1f s", self._target.stream, error, delay_s)
        self._error = str(error)
        await self._timing.sleep(delay_s)

    @property
    def _server(self) -> str:
        return origin(self._target.endpoint)

"""All publishing of a node: one publisher for each stream and media server that the parameters name."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.publish.publisher import SILENCE_LIMIT_S, Publisher, PublishingSessions, PublishSnapshot
from picam_webrtc.streaming.publish.readers import count_readers
from picam_webrtc.streaming.publish.targets import PublishTokens, Target, load_ice_servers, load_targets
from picam_webrtc.streaming.publish.whip import WhipClient, origin

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.0
REQUEST_TIMEOUT_S = 15.0


class Publishers:
    """Publishing runs while the context is entered, and sessions end when it is left."""

    def __init__(
        self, sessions: PublishingSessions, settings: WebRtcSettings, *, silence_limit_s: float = SILENCE_LIMIT_S
    ) -> None:
        """Raises SettingError."""
        self._sessions = sessions
        self._targets = load_targets(settings, sessions.stream_names)
        self._tokens = PublishTokens(settings)
        self._ice_servers = load_ice_servers(settings)
        self._silence_limit_s = silence_limit_s
        self._publishers: tuple[Publisher, ...] = ()
        self._stack = AsyncExitStack()

    def snapshot(self) -> tuple[PublishSnapshot, ...]:
        return tuple(publisher.snapshot() for publisher in self._publishers)

    async def __aenter__(self) -> Self:
        if self._targets:
            timeout = aiohttp.ClientTimeout(REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
            http = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            self._publishers = tuple(self._publisher(target, http) for target in self._targets)
            tasks = [asyncio.create_task(publisher.run()) for publisher in self._publishers]
            for task in tasks:
                task.add_done_callback(_report_defect)
            self._stack.push_async_callback(_cancel, tasks)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _publisher(self, target: Target, http: aiohttp.ClientSession) -> Publisher:
        whip = WhipClient(http, target.endpoint, lambda: self._tokens.of(target.stream))
        if target.endpoint.scheme == "http" and (self._tokens.used or target.endpoint.user):
            logger.warning("Stream %r: its token goes to %s in clear", target.stream, origin(target.endpoint))
        readers = target.readers

        async def count() -> int | None:
            return await count_readers(http, readers, whip.credentials(readers)) if readers is not None else None

        return Publisher(
            target,
            self._sessions,
            whip,
            self._ice_servers,
            count if readers is not None else None,
            silence_limit_s=self._silence_limit_s,
        )


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _report_defect(task: asyncio.Task[None]) -> None:
    """A publisher never ends by itself, so what ended it is a defect of ours: not to be lost in silence."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A publisher ended by an unexpected error", exc_info=error)

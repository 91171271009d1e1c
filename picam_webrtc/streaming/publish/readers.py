"""How many read a stream from a media server, where its own API tells. No standard has that yet."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from yarl import URL

logger = logging.getLogger(__name__)

READER_LISTS = ("consumers", "readers")
"""The member that lists them: go2rtc's /api/streams?src=name, MediaMTX's /v3/paths/get/name."""
TIMEOUT = aiohttp.ClientTimeout(3.0)
POLL_S = 1.0
PAUSE_AFTER_S = 10.0
"""How long nobody may have read before a stream is paused; servers want to see packets at first, too."""


async def count_readers(http: aiohttp.ClientSession, url: URL, headers: dict[str, str]) -> int | None:
    """None where the server does not tell: the stream is then sent, as if somebody read it."""
    try:
        async with http.get(url, headers=headers, timeout=TIMEOUT, raise_for_status=True) as response:
            return readers_in(await response.json(content_type=None))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        logger.debug("The media server does not tell who reads: %s", type(error).__name__)
        return None


def readers_in(document: Any) -> int | None:
    """The length of the list of readers; an absent list is no answer, a null one an empty list (Go writes nil so)."""
    if not isinstance(document, dict):
        return None
    for name in READER_LISTS:
        if name in document:
            readers = document[name]
            return len(readers) if isinstance(readers, list) else 0 if readers is None else None
    return None


class ReaderWatch:
    """Calls `pause` when nobody has read for a while, and `resume` for the first reader."""

    def __init__(
        self,
        count: Callable[[], Awaitable[int | None]],
        pause: Callable[[], None],
        resume: Callable[[], None],
        now_s: float,
    ) -> None:
        self.readers: int | None = None
        self.paused = False
        self._count = count
        self._pause, self._resume = pause, resume
        self._read_s = self._polled_s = now_s

    async def follow(self, now_s: float) -> None:
        if now_s - self._polled_s < POLL_S:
            return
        self._polled_s = now_s
        self.readers = await self._count()
        if self.readers != 0:
            self._read_s = now_s
        paused = now_s - self._read_s >= PAUSE_AFTER_S
        if paused != self.paused:
            self.paused = paused
            (self._pause if paused else self._resume)()

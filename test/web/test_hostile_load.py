"""Hostile load: whoever is watching notices nothing, and nothing of it stays."""

import asyncio
import io
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import aioice.ice
import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import auth
from picam_webrtc.web.limits import Failures
from picam_webrtc_test.fuzz.seeds import OFFERS
from picam_webrtc_test.web.live import HonestViewer, Live, honest_viewer, live_server

TOKEN = "viewer-token-1"  # noqa: S105 -- a made-up one
CONNECT_TIMEOUT_S = IDLE_TIMEOUT_S = 3.0
REAP_TIMEOUT_S = 30.0
LEAST_SHARE = 0.9
MOST_GROWTH_BYTES = 60_000_000
SETTINGS = WebRtcSettings(
    port=0,
    token=TOKEN,
    max_requests_per_second=200.0,
    max_connections=128,
    max_connections_per_address=100,
    max_pending_sessions=20,
    connect_timeout=CONNECT_TIMEOUT_S,
    connection_idle_timeout=IDLE_TIMEOUT_S,
)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SDP = BEARER | {"Content-Type": "application/sdp"}

pytestmark = pytest.mark.heavy


async def half_open_sessions(live: Live) -> None:
    """200 offers whose makers never connect: a few get a place, the others are told to come back."""
    async with aiohttp.ClientSession(live.url, headers=SDP) as client:
        statuses: Counter[int] = Counter()
        for _ in range(200):
            async with client.post("/whep", data=OFFERS[0]) as response:
                statuses[response.status] += 1
                assert response.status == 201 or int(response.headers["Retry-After"]) > 0
    assert statuses == {201: SETTINGS.max_pending_sessions, 503: 200 - SETTINGS.max_pending_sessions}


async def slow_requests(live: Live) -> None:
    """Heads and bodies a byte at a time, on more connections than there may be."""
    await asyncio.gather(*(drip(live) for _ in range(150)))


async def drip(live: Live) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    with suppress(ConnectionError):
        for byte in b"POST /whep HTTP/1.1\r\nHost: localhost\r\n" * 4:
            writer.write(bytes([byte]))
            await writer.drain()
            if reader.at_eof():
                break
            await asyncio.sleep(0.1)
        assert (await reader.read(12)).decode()[9:] in ("408", "503", "")
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def wrong_tokens(live: Live) -> None:
    """1,000 of them, 90 at a time; the right one is let in at once, in the midst of them."""
    async with aiohttp.ClientSession(live.url) as client:

        async def guess(number: int) -> int:
            async with client.get("/streams", headers={"Authorization": f"Bearer wrong-token-{number}"}) as response:
                return response.status

        statuses: Counter[int] = Counter()
        for start in range(0, 1000, 90):
            guesses = asyncio.gather(*(guess(number) for number in range(start, min(start + 90, 1000))))
            async with asyncio.timeout(1), client.get("/streams", headers=BEARER) as response:
                assert response.status == 200
            statuses.update(await guesses)
    assert statuses.keys() == {401, 429}


async def large_bodies(live: Live) -> None:
    """10 MB where an offer is expected, said beforehand and not."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield bytes(65536)

    for body in (io.BytesIO(bytes(10_000_000)), endless()):
        async with aiohttp.ClientSession(live.url, headers=SDP) as client:
            with suppress(aiohttp.ClientConnectionError):  # where the server does not read to the end
                async with client.post("/whep", data=body) as response:
                    assert response.status == 413


async def vanishing_viewer(live: Live) -> None:
    """One that watches, and whose process is then killed."""
    async with honest_viewer(live, TOKEN) as viewer:
        viewer.process.kill()


ATTACKS = [half_open_sessions, slow_requests, wrong_tokens, large_bodies, vanishing_viewer]


async def test_hostile_load_disturbs_nobody_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.5)  # six of them without an answer end a connection
    monkeypatch.setattr(Failures, "MAX_DELAY_S", 0.5)
    monkeypatch.setattr(auth, "MAX_HELD_BACK", 30)
    async with live_server(SETTINGS) as live, honest_viewer(live, TOKEN) as viewer:
        descriptors, memory = _descriptors(), _resident_bytes()
        before = await viewer.frame_rate(3.0)
        started, pictures = asyncio.get_running_loop().time(), viewer.pictures
        for attack in ATTACKS:
            await attack(live)
            assert _resident_bytes() - memory < MOST_GROWTH_BYTES, attack
        during = (viewer.pictures - pictures) / (asyncio.get_running_loop().time() - started)

        assert during >= LEAST_SHARE * before
        await reaped(live, viewer, descriptors)


async def reaped(live: Live, viewer: HonestViewer, descriptors: int) -> None:
    async with asyncio.timeout(REAP_TIMEOUT_S):
        while len(live.sessions) > 1 or _descriptors() > descriptors:
            await viewer.frame_rate(0.1)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

"""Connections that say nothing, too much, or are too many."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import bodies
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import Address, serve
from picam_webrtc_test.web.fakes import FakeSessions

WHEP_HEAD = b"POST /whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"


@pytest.fixture
async def address(sessions: FakeSessions) -> AsyncIterator[Address]:
    settings = WebRtcSettings(port=0, max_connections=6, max_connections_per_address=4, connection_idle_timeout=1.0)
    async with serve(make_app(sessions, settings), settings) as address:
        yield address


async def say(address: Address, data: bytes, source: str = "127.0.0.1") -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=(source, 0))
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_head_that_never_ends_is_timed_out(address: Address) -> None:
    assert (await say(address, b"GET / HTTP/1.1\r\nHost: loc")).startswith(b"HTTP/1.1 408 ")


async def test_silence_after_a_response_is_closed(address: Address) -> None:
    answer = await say(address, b"GET /streams HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_second_head_that_never_ends_is_closed_too(address: Address) -> None:
    answer = await say(address, b"GET /streams HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT")

    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_body_that_never_comes_is_timed_out(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.05)
    answer = await say(address, WHEP_HEAD + b"Content-Length: 100\r\n\r\nv=0")

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_of_10_mb_is_refused_before_it_is_read(address: Address) -> None:
    answer = await say(address, WHEP_HEAD + b"Content-Length: 10000000\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_is_refused_where_it_passes_the_limit(address: Address) -> None:
    chunk = b"8000\r\n" + b"v" * 0x8000 + b"\r\n"
    answer = await say(address, WHEP_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * chunk)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("rest", [b"zz\r\n", b"5\r\nv=0", b"ffffffffffffffffffff\r\n"])
async def test_a_body_that_breaks_off_or_is_badly_framed_is_no_fault_of_ours(
    address: Address, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(WHEP_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + rest)
    writer.close()
    await writer.wait_closed()
    async with aiohttp.ClientSession(address.url) as client, client.get("/streams") as response:
        assert response.status == 200

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_is_no_http_is_400_and_not_repeated_in_the_log(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answer = await say(address, b"GET /?token=hunter2 is not HTTP\r\n\r\n")

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert "hunter2" not in caplog.text


async def test_connections_beyond_the_limit_are_sent_away_and_come_back_later(address: Address) -> None:
    sources = ["127.0.0.1"] * 5 + ["127.0.0.2"] * 3
    waiting = [await asyncio.open_connection(address.host, address.port, local_addr=(source, 0)) for source in sources]
    answers = await asyncio.gather(*(asyncio.wait_for(reader.read(), 5) for reader, _ in waiting))
    for _, writer in waiting:
        writer.close()

    assert [answer[9:12] for answer in answers] == [b"408"] * 4 + [b"503"] + [b"408"] * 2 + [b"503"]
    assert b"Retry-After: 5\r\n" in answers[-1]
    async with aiohttp.ClientSession(address.url) as client, client.get("/streams") as response:
        assert response.status == 200


async def test_requests_beyond_the_rate_are_429(sessions: FakeSessions) -> None:
    settings = WebRtcSettings(port=0, max_requests_per_second=1.0)
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession(address.url) as client:
        responses = [await client.get("/streams") for _ in range(3)]

    assert [response.status for response in responses] == [200, 200, 429]
    assert responses[-1].headers["Retry-After"] == "1"

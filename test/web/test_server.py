"""Listening: which address, whose fault when it cannot be, and how fast it ends."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import Address, serve
from picam_webrtc_test.web.fakes import FakeSessions


async def test_port_0_takes_a_free_one_and_the_address_names_it(sessions: FakeSessions) -> None:
    async with serve(make_app(sessions, settings := WebRtcSettings(port=0)), settings) as address:
        assert address == Address("http", "127.0.0.1", address.port)
        assert address.port > 0
        assert address.url == f"http://127.0.0.1:{address.port}/"


async def test_the_address_of_every_interface_is_one_that_others_can_use(sessions: FakeSessions) -> None:
    settings = WebRtcSettings(host="0.0.0.0", port=0)
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession() as client:
        assert "0.0.0.0" not in address.url
        async with client.get(f"{address.url}healthz") as response:
            assert response.status == 200


def test_an_ipv6_address_is_bracketed() -> None:
    assert Address("https", "::1", 8443).url == "https://[::1]:8443/"


async def test_a_port_in_use_is_named_with_the_remedy(sessions: FakeSessions) -> None:
    settings = WebRtcSettings(port=0)
    async with serve(make_app(sessions, settings), settings) as address:
        taken = WebRtcSettings(port=address.port)
        with pytest.raises(SettingError, match=f"'port' = {address.port}: another program listens there"):
            async with serve(make_app(sessions, taken), taken):
                pass


async def test_a_foreign_address_is_named(sessions: FakeSessions) -> None:
    settings = WebRtcSettings(host="192.0.2.1", port=0)
    with pytest.raises(SettingError, match=r"'host' = '192\.0\.2\.1': is no address of this machine"):
        async with serve(make_app(sessions, settings), settings):
            pass


async def test_an_endless_response_does_not_hold_up_the_end(sessions: FakeSessions) -> None:
    async def never_ends(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    app = make_app(sessions, settings := WebRtcSettings(port=0))
    app.router.add_get("/endless", never_ends)
    async with aiohttp.ClientSession() as client:
        async with serve(app, settings) as address:
            response = await client.get(f"{address.url}endless")
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 1.0
        response.close()

"""A real server on loopback in front of fake sessions."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve
from picam_webrtc_test.web.fakes import FakeSessions


@pytest.fixture
def settings() -> WebRtcSettings:
    """Override in a test module to serve with other settings."""
    return WebRtcSettings(port=0)


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
async def client(sessions: FakeSessions, settings: WebRtcSettings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession(address.url) as client:
        yield client

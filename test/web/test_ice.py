"""STUN and TURN servers for viewers."""

import base64
import hashlib
import hmac

import aiohttp
import pytest

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.ice import CREDENTIAL_LIFETIME_S, load_ice_servers

STUN, TURN = "stun:stun.example.com:3478", "turn:turn.example.com:3478?transport=udp"
AWKWARD, SHARED = 'pa"ss', "north"


@pytest.fixture
def settings() -> WebRtcSettings:
    return WebRtcSettings(port=0, ice_servers=(STUN, TURN), turn_username="robot", turn_password=AWKWARD)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_viewers_get_a_link_for_each_server(client: aiohttp.ClientSession, method: str) -> None:
    headers = {"Content-Type": "application/sdp"}
    async with client.request(method, "/whep", data="v=0" if method == "POST" else None, headers=headers) as response:
        assert response.headers.getall("Link") == [
            f'<{STUN}>; rel="ice-server"',
            f'<{TURN}>; rel="ice-server"; username="robot"; credential="pa\\"ss"; credential-type="password"',
        ]


def test_a_shared_secret_makes_credentials_for_a_day() -> None:
    (link,) = load_ice_servers(WebRtcSettings(ice_servers=(TURN,), turn_secret=SHARED)).links(lambda: 1000.0)

    username = f"{1000 + CREDENTIAL_LIFETIME_S}:viewer"
    password = base64.b64encode(hmac.new(SHARED.encode(), username.encode(), hashlib.sha1).digest()).decode()
    assert (
        link
        == f'<{TURN}>; rel="ice-server"; username="{username}"; credential="{password}"; credential-type="password"'
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ice_servers": ("stun.example.com",)}, "is no server; write stun:host:port"),
        ({"ice_servers": ('stun:a>; rel="x"',)}, "is no server"),
        ({"ice_servers": (TURN,)}, "needs turn_username and turn_password, or turn_secret"),
        ({"turn_username": "a\r\nb"}, "must be printable"),
    ],
)
def test_a_bad_server_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        load_ice_servers(WebRtcSettings.from_values(values))

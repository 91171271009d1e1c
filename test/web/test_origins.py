"""Pages of other sites: which may use the server, and why their names are checked."""

import socket

import aiohttp
import pytest

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.origins import load_origins

FRIEND = "https://panel.example.com"


@pytest.fixture
def settings() -> WebRtcSettings:
    return WebRtcSettings(port=0, allowed_origins=(FRIEND,))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "192.168.1.7",
        "[::1]:8080",
        "localhost",
        "camera.localhost:8080",
        socket.gethostname(),
        f"{socket.gethostname()}.local:80",
        "panel.example.com",
    ],
)
def test_this_machines_names_and_every_address_are_known(settings: WebRtcSettings, host: str) -> None:
    assert load_origins(settings).knows(host)


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example", "", "a b", "localhost:99999999", "[x]"])
def test_any_other_name_is_unknown(settings: WebRtcSettings, host: str) -> None:
    assert not load_origins(settings).knows(host)


async def test_a_rebound_name_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/streams", headers={"Host": "evil.example.com"}) as response:
        assert response.status == 421
        assert "allowed_origins" in (await response.json(content_type=None))["detail"]


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://panel.example.com.evil.example"])
async def test_another_sites_page_cannot_act_nor_read(client: aiohttp.ClientSession, origin: str) -> None:
    async with client.post("/webrtc", headers={"Origin": origin}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
    async with client.get("/streams", headers={"Origin": origin}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_our_own_page_may_act(client: aiohttp.ClientSession) -> None:
    own = str((await client.get("/streams")).url.origin())
    async with client.post("/webrtc", headers={"Origin": own}) as response:
        assert response.status == 201


async def test_an_allowed_page_may_act_and_read_what_whep_needs(client: aiohttp.ClientSession) -> None:
    async with client.post("/webrtc", headers={"Origin": FRIEND}) as response:
        assert response.status == 201
        assert response.headers["Access-Control-Allow-Origin"] == FRIEND
        assert response.headers["Vary"] == "Origin"
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert {"Location", "ETag", "Link", "Accept-Post", "WWW-Authenticate", "Retry-After"} <= set(
            exposed.split(", ")
        )


@pytest.mark.parametrize("path", ["/whep", "/whep/raw", "/whep/raw/some-session", "/webrtc", "/streams"])
async def test_a_preflight_names_methods_and_headers(client: aiohttp.ClientSession, path: str) -> None:
    headers = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    async with client.options(path, headers=headers) as response:
        assert response.status == 204
        methods = response.headers["Access-Control-Allow-Methods"].split(", ")
        assert set(methods) == {"OPTIONS", "GET", "HEAD", "POST", "PATCH", "DELETE"}
        assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, If-Match"


async def test_only_our_own_and_allowed_pages_may_frame_the_page(client: aiohttp.ClientSession) -> None:
    async with client.get("/streams") as response:
        assert f"frame-ancestors 'self' {FRIEND}" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("origin", ["panel.example.com", "https://panel.example.com/page", "ftp://x", "https://a;b"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingError, match="is no origin; write scheme://host"):
        load_origins(WebRtcSettings(allowed_origins=(origin,)))

"""Nobody gets in who should not."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import auth
from picam_webrtc.web.app import make_app
from picam_webrtc.web.auth import Role, Tokens, load_tokens
from picam_webrtc.web.limits import Failures
from picam_webrtc.web.server import Address, page_links, serve
from picam_webrtc_test.web.fakes import FakeSessions

VIEWER, OPERATOR = "viewer-token-1", "operator-token-1"
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
def settings() -> WebRtcSettings:
    return WebRtcSettings(port=0, token=VIEWER, operator_token=OPERATOR)


@pytest.fixture(autouse=True)
def _failures_wait_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failures, "FIRST_DELAY_S", 0.001)


@asynccontextmanager
async def serving_pages(pages: Path, settings: WebRtcSettings) -> AsyncIterator[aiohttp.ClientSession]:
    (pages / "index.html").write_text("<!doctype html>")
    app = make_app(FakeSessions(), settings, pages=pages)
    jar = aiohttp.CookieJar(unsafe=True)  # aiohttp's word for cookies of an address without a name
    async with serve(app, settings) as address, aiohttp.ClientSession(address.url, cookie_jar=jar) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_without_a_token_every_door_but_the_page_and_health_is_shut(client: aiohttp.ClientSession) -> None:
    doors = [("GET", "/streams"), ("POST", "/whep"), ("GET", "/whep"), ("POST", "/webrtc"), ("DELETE", "/whep/raw/x")]
    for method, path in doors:
        async with client.request(method, path) as response:
            assert response.status == 401, path
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="picam_webrtc"'
            assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("token", [VIEWER, OPERATOR])
async def test_a_bearer_token_opens(client: aiohttp.ClientSession, token: str) -> None:
    async with client.post("/whep", data="v=0", headers=SDP | bearer(token)) as response:
        assert response.status == 201


async def test_a_wrong_token_is_named_invalid(client: aiohttp.ClientSession) -> None:
    async with client.get("/streams", headers=bearer("wrong-token-1")) as response:
        assert response.status == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_a_token_in_the_address_opens_and_follows_to_the_session(client: aiohttp.ClientSession) -> None:
    async with client.post(f"/whep?token={VIEWER}", data="v=0", headers=SDP) as response:
        assert response.status == 201
        location = response.headers["Location"]
    async with client.delete(location.partition("?")[0]) as response:
        assert response.status == 401
    async with client.delete(location) as response:
        assert response.status == 200


async def test_a_preflight_is_never_refused_and_mints_nothing(sessions: FakeSessions) -> None:
    settings = WebRtcSettings(
        port=0, token=VIEWER, ice_servers=("turn:turn.example.com",), turn_secret=VIEWER, allowed_origins=("*",)
    )
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession(address.url) as client:
        headers = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
        async with client.options("/whep", headers=headers) as response:
            assert response.status == 204
            assert "Link" not in response.headers
        async with client.options("/whep", headers=bearer(VIEWER)) as response:
            assert "turn:turn.example.com" in response.headers["Link"]


async def test_a_link_with_the_token_is_exchanged_for_a_cookie(tmp_path: Path, settings: WebRtcSettings) -> None:
    async with serving_pages(tmp_path, settings) as client:
        async with client.get(f"/?token={VIEWER}&stream=raw", allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == "/?stream=raw"
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert VIEWER not in cookie
        async with client.get("/streams") as response:
            assert response.status == 200


async def test_the_page_without_a_token_comes_with_401_and_can_say_so(tmp_path: Path, settings: WebRtcSettings) -> None:
    async with serving_pages(tmp_path, settings) as client:
        for path in ("/", "/?token=wrong-token-1"):
            async with client.get(path) as response:
                assert response.status == 401
                assert await response.text() == "<!doctype html>"


async def test_a_made_up_cookie_opens_nothing(tmp_path: Path, settings: WebRtcSettings) -> None:
    async with serving_pages(tmp_path, settings) as client:
        port = (await client.get("/")).url.port
        async with client.get("/streams", cookies={f"picam_webrtc_{port}": VIEWER}) as response:
            assert response.status == 401


async def test_only_an_operator_passes_where_one_is_required(sessions: FakeSessions, settings: WebRtcSettings) -> None:
    async def operate(request: web.Request) -> web.Response:
        auth.require(request, Role.OPERATOR)
        return web.Response()

    app = make_app(sessions, settings)
    app.router.add_put("/threshold", operate)
    async with serve(app, settings) as address, aiohttp.ClientSession(address.url) as client:
        for token, status in ((VIEWER, 403), (OPERATOR, 200)):
            async with client.put("/threshold", headers=bearer(token)) as response:
                assert response.status == status


async def test_a_wrong_token_is_logged_without_itself(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/streams?token=hunter2hunter2", "/?token=hunter2hunter2"):
        async with client.get(path):
            pass
    async with client.get("/streams", headers=bearer("hunter2hunter2")):
        pass

    assert "Refused a wrong token from 127.0.0.1 (1 so far)" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_flood_of_wrong_tokens_is_turned_away_at_once(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_HELD_BACK", 0)
    async with client.get("/streams", headers=bearer("wrong-token-1")) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "4"
    async with client.get("/streams", headers=bearer(VIEWER)) as response:
        assert response.status == 200


def test_on_loopback_no_token_is_needed() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.8.0.1"):
        assert load_tokens(WebRtcSettings(host=host)) == Tokens()
    assert Tokens().anonymous is Role.OPERATOR


def test_with_an_operator_token_alone_everybody_watches() -> None:
    assert load_tokens(WebRtcSettings(operator_token=OPERATOR)).anonymous is Role.VIEWER


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "robot.local"])
def test_on_any_other_address_tokens_are_made(host: str) -> None:
    first, second = (load_tokens(WebRtcSettings(host=host)) for _ in range(2))

    assert first.minted
    assert first.anonymous is Role.NOBODY
    assert len({first.viewer, first.operator, second.viewer, second.operator}) == 4
    assert len(first.viewer) >= 22


def test_the_links_name_the_tokens_that_were_made_and_no_others(sessions: FakeSessions) -> None:
    made = make_app(sessions, WebRtcSettings(host="0.0.0.0"))
    given = make_app(sessions, WebRtcSettings(host="0.0.0.0", token=VIEWER))
    address = Address("http", "192.168.1.7", 8080)

    viewer_link, operator_link = page_links(made, address)
    assert viewer_link == f"The page for viewers is at http://192.168.1.7:8080/?token={made[auth.ACCESS].tokens.viewer}"
    assert made[auth.ACCESS].tokens.operator in operator_link
    assert page_links(given, address) == ("The page is at http://192.168.1.7:8080/",)


def test_tokens_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{VIEWER}\n{OPERATOR}\n")

    assert load_tokens(WebRtcSettings(token_file=str(file))) == Tokens(VIEWER, OPERATOR)


BAD_SETTINGS = [
    ({"token": "short"}, "must be 8 to 256"),
    ({"token": "has space in it"}, "must be 8 to 256"),
    ({"token": VIEWER, "operator_token": VIEWER}, "must differ"),
    ({"token_file": "/nowhere/tokens"}, "'/nowhere/tokens': cannot be read: No such file or directory; must hold one"),
    ({"token_file": "/dev/null"}, "must hold one token a line"),
    ({"token_file": "/dev/null", "token": VIEWER}, "use one of the two"),
]


@pytest.mark.parametrize(("values", "reason"), BAD_SETTINGS)
def test_a_bad_token_setting_is_refused_without_telling_it(values: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingError, match=reason) as refused:
        load_tokens(WebRtcSettings.from_values(values))

    assert values.get("token", "(none)") not in str(refused.value)

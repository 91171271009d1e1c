"""The HTTP of publishing, against a server that answers as it is told to."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import pytest
from yarl import URL

from picam_webrtc.errors import PublishError
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.publish.whip import LONGEST_RETRY_AFTER_S, WhipClient, origin, retry_after
from picam_webrtc_test.streaming.fake_whip import ANSWER, FakeWhip, Reply, fake_whip

OFFER = "v=0\r\ns=offer\r\n"
RIGHT_TOKEN = "the-right-one"  # noqa: S105


@pytest.fixture
async def server() -> AsyncIterator[FakeWhip]:
    async with fake_whip() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def client(http: aiohttp.ClientSession, url: str, token: str = "") -> WhipClient:
    return WhipClient(http, URL(url), lambda: token)


async def test_an_accepted_offer_gives_the_answer_and_where_the_session_ends(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    server.replies = [Reply(headers={"Location": "sessions/7?key=1", "ETag": '"abc"'})]

    accepted = await client(http, server.endpoint, "secret-token").offer(OFFER)

    assert accepted.answer == ANSWER
    assert str(accepted.resource) == f"{server.url}/sessions/7?key=1"
    (request,) = server.requests
    assert (request.method, request.authorization, request.body) == ("POST", "Bearer secret-token", OFFER)


async def test_the_servers_stun_and_turn_servers_are_learned(server: FakeWhip, http: aiohttp.ClientSession) -> None:
    turn = '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="u"; credential="p,;\\"q"'
    server.replies = [Reply(headers={"Location": "/s", "Link": f"<stun:stun.example.net>; rel=ice-server, {turn}"})]

    accepted = await client(http, server.endpoint).offer(OFFER)

    assert accepted.ice_servers == (
        IceServer("stun:stun.example.net"),
        IceServer("turn:turn.example.net?transport=udp", "u", 'p,;"q'),
    )


@pytest.mark.parametrize("status", [HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT])
async def test_a_redirect_is_followed_with_offer_and_token_within_the_same_origin(
    server: FakeWhip, http: aiohttp.ClientSession, status: HTTPStatus
) -> None:
    server.replies = [Reply(status, {"Location": "/other/whip"})]

    accepted = await client(http, server.endpoint, "secret-token").offer(OFFER)

    assert server.paths("POST") == ["/whip", "/other/whip"]
    assert server.bodies("POST") == [OFFER, OFFER]
    assert {request.authorization for request in server.requests} == {"Bearer secret-token"}
    assert accepted.resource is not None


async def test_the_token_does_not_follow_a_redirect_in_clear_to_another_server(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    async with fake_whip() as other:
        server.replies = [Reply(HTTPStatus.TEMPORARY_REDIRECT, {"Location": other.endpoint})]
        await client(http, server.endpoint, "secret-token").offer(OFFER)

        assert [request.authorization for request in other.requests] == [""]


async def test_redirects_in_a_circle_end(server: FakeWhip, http: aiohttp.ClientSession) -> None:
    server.replies = [Reply(HTTPStatus.TEMPORARY_REDIRECT, {"Location": "/whip"}) for _ in range(20)]

    with pytest.raises(PublishError, match="redirects more than 5 times"):
        await client(http, server.endpoint).offer(OFFER)


async def test_other_redirects_would_lose_the_offer_and_are_refusals(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    server.replies = [Reply(HTTPStatus.FOUND, {"Location": "/other"}, "")]

    with pytest.raises(PublishError, match="refuses with 302"):
        await client(http, server.endpoint).offer(OFFER)


async def test_a_wrong_token_is_refused_lastingly_and_says_which_parameter(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    server.token = RIGHT_TOKEN

    with pytest.raises(PublishError, match=r"refuses with 401 .*: Unauthorized; .*publish_token") as caught:
        await client(http, server.endpoint, "a-wrong-one").offer(OFFER)

    assert caught.value.lasting
    assert "a-wrong-one" not in str(caught.value)


async def test_an_overloaded_server_says_when_to_come_again(server: FakeWhip, http: aiohttp.ClientSession) -> None:
    server.replies = [Reply(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "17"}, "")]

    with pytest.raises(PublishError) as caught:
        await client(http, server.endpoint).offer(OFFER)

    assert caught.value.retry_after_s == 17
    assert not caught.value.lasting


async def test_somebody_else_on_the_stream_is_no_lasting_refusal(server: FakeWhip, http: aiohttp.ClientSession) -> None:
    server.replies = [Reply(HTTPStatus.CONFLICT, {}, "")]

    with pytest.raises(PublishError, match="somebody else publishes there") as caught:
        await client(http, server.endpoint).offer(OFFER)

    assert not caught.value.lasting


async def test_an_answer_that_is_no_description_is_refused(server: FakeWhip, http: aiohttp.ClientSession) -> None:
    server.replies = [Reply(body="<p>hello</p>", content_type="text/html")]

    with pytest.raises(PublishError, match="answers text/html"):
        await client(http, server.endpoint).offer(OFFER)


async def test_a_server_that_is_away_is_no_lasting_fault(http: aiohttp.ClientSession) -> None:
    async with fake_whip() as server:
        gone = server.endpoint

    with pytest.raises(PublishError, match="cannot be reached") as caught:
        await client(http, gone).offer(OFFER)

    assert not caught.value.lasting


async def test_the_session_is_ended_with_the_token_and_a_server_that_is_gone_is_no_error(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    whip = client(http, server.endpoint, "secret-token")
    await whip.end(URL(f"{server.url}/session/1"))
    await whip.end(URL("http://127.0.0.1:9/session/1"))

    (request,) = server.requests
    assert (request.method, request.path, request.authorization) == ("DELETE", "/session/1", "Bearer secret-token")


async def test_credentials_in_the_address_are_shown_as_basic_and_stay_out_of_sight(
    server: FakeWhip, http: aiohttp.ClientSession
) -> None:
    server.replies = [Reply(HTTPStatus.UNAUTHORIZED, {}, "")]

    with pytest.raises(PublishError) as caught:
        await client(http, server.endpoint.replace("://", "://robot:pass@")).offer(OFFER)

    assert server.requests[0].authorization == "Basic cm9ib3Q6cGFzcw=="
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("99999", LONGEST_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_comes_in_two_forms(value: str, seconds: float | None) -> None:
    assert retry_after(value, lambda: 60.0) == seconds


def test_of_an_address_only_the_origin_is_shown() -> None:
    assert origin(URL("https://user:key@live.example.net:8443/abc/secret?key=1")) == "https://live.example.net:8443"

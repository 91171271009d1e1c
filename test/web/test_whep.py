"""WHEP over real HTTP, one test a line of the checklist (draft-ietf-wish-whep-04, RFC 9725, 8840, 9457)."""

from uuid import UUID

import aiohttp
import pytest

from picam_webrtc.errors import MalformedOffer, NoLiveSource, StreamError, TooManyViewers, UnusableOffer
from picam_webrtc_test.web.fakes import ANSWER_SDP, FakeSessions

SDP = {"Content-Type": "application/sdp"}
SDPFRAG = {"Content-Type": "application/trickle-ice-sdpfrag"}
OFFER = "v=0\r\ns=an offer\r\n"
CANDIDATE = (
    "a=ice-ufrag:x\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
)


async def join(client: aiohttp.ClientSession, endpoint: str = "/whep") -> tuple[str, str]:
    """The new session's URL and ETag."""
    async with client.post(endpoint, data=OFFER, headers=SDP) as response:
        assert response.status == 201
        return response.headers["Location"], response.headers["ETag"]


async def test_an_offer_creates_a_session_with_answer_location_and_etag(
    client: aiohttp.ClientSession, sessions: FakeSessions
) -> None:
    async with client.post("/whep", data=OFFER, headers=SDP) as response:
        assert response.status == 201
        assert response.headers["Content-Type"] == "application/sdp"
        assert await response.text() == ANSWER_SDP
        assert response.headers["ETag"] == '"etag-1"'
        stream, session_id = response.headers["Location"].removeprefix("/whep/").split("/")

    assert (stream, UUID(session_id).version) == ("processed", 4)
    assert sessions.received == [("offer", OFFER)]


async def test_each_stream_has_its_endpoint(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    await join(client, "/whep/raw")

    assert [session.stream_name for session in sessions.open.values()] == ["raw"]


async def test_a_content_type_of_charset_is_still_sdp(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/sdp; charset=utf-8"}
    async with client.post("/whep", data=OFFER, headers=headers) as response:
        assert response.status == 201


async def test_an_offer_of_another_type_is_415(client: aiohttp.ClientSession) -> None:
    async with client.post("/whep", json={"sdp": OFFER}) as response:
        assert response.status == 415
        assert response.headers["Accept"] == "application/sdp"


async def test_an_unknown_stream_is_404(client: aiohttp.ClientSession) -> None:
    async with client.post("/whep/sideways", data=OFFER, headers=SDP) as response:
        assert response.status == 404


async def test_an_offer_larger_than_the_limit_is_413(client: aiohttp.ClientSession) -> None:
    async with client.post("/whep", data=b"v" * 65537, headers=SDP) as response:
        assert response.status == 413


async def test_an_offer_that_is_not_text_is_400(client: aiohttp.ClientSession) -> None:
    async with client.post("/whep", data=b"v=0\xff", headers=SDP) as response:
        assert response.status == 400


@pytest.mark.parametrize(
    ("error", "status", "retries"),
    [
        (MalformedOffer("no SDP"), 400, False),
        (UnusableOffer("no video"), 422, False),
        (NoLiveSource("nobody publishes"), 409, True),
        (TooManyViewers("full"), 503, True),
    ],
)
async def test_a_refused_offer_is_a_problem_document(
    client: aiohttp.ClientSession, sessions: FakeSessions, error: StreamError, status: int, retries: bool
) -> None:
    sessions.error = error
    async with client.post("/whep", data=OFFER, headers=SDP) as response:
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["status"], problem["detail"]) == (status, status, str(error))
    assert ("Retry-After" in response.headers) == retries


@pytest.mark.parametrize("endpoint", ["/whep", "/whep/raw"])
async def test_options_of_the_endpoint_name_what_it_takes(client: aiohttp.ClientSession, endpoint: str) -> None:
    async with client.options(endpoint) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get_and_head_of_the_endpoint_have_no_body(client: aiohttp.ClientSession, method: str) -> None:
    async with client.request(method, "/whep") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/sdp"
        assert await response.read() == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get_and_head_of_a_session_have_no_body(client: aiohttp.ClientSession, method: str) -> None:
    location, etag = await join(client)
    async with client.request(method, location) as response:
        assert response.status == 200
        assert response.headers["ETag"] == etag
        assert await response.read() == b""


async def test_candidates_are_taken_with_the_sessions_etag(
    client: aiohttp.ClientSession, sessions: FakeSessions
) -> None:
    location, etag = await join(client)
    async with client.patch(location, data=CANDIDATE, headers=SDPFRAG | {"If-Match": etag}) as response:
        assert response.status == 204

    assert sessions.received[-1] == ("candidates", CANDIDATE)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SDPFRAG, 428),
        (SDPFRAG | {"If-Match": '"another"'}, 412),
        (SDPFRAG | {"If-Match": "*"}, 422),
        (SDPFRAG | {"If-Match": '"*"'}, 422),
        ({"Content-Type": "application/sdp", "If-Match": '"etag-1"'}, 415),
    ],
)
async def test_a_refused_patch_leaves_the_session(
    client: aiohttp.ClientSession, sessions: FakeSessions, headers: dict[str, str], status: int
) -> None:
    location, _ = await join(client)
    async with client.patch(location, data=CANDIDATE, headers=headers) as response:
        assert response.status == status

    assert len(sessions.open) == 1
    assert [kind for kind, _ in sessions.received] == ["offer"]


async def test_a_malformed_fragment_is_400_and_leaves_the_session(
    client: aiohttp.ClientSession, sessions: FakeSessions
) -> None:
    location, etag = await join(client)
    sessions.error = MalformedOffer("no fragment")
    async with client.patch(location, data="?", headers=SDPFRAG | {"If-Match": etag}) as response:
        assert response.status == 400

    assert len(sessions.open) == 1


async def test_delete_ends_the_session_whatever_if_match_says(
    client: aiohttp.ClientSession, sessions: FakeSessions
) -> None:
    location, _ = await join(client)
    async with client.delete(location, headers={"If-Match": '"another"'}) as response:
        assert response.status == 200

    assert not sessions.open


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE"])
async def test_an_ended_session_is_404(client: aiohttp.ClientSession, method: str) -> None:
    location, _ = await join(client)
    async with client.delete(location):
        pass
    async with client.request(method, location, headers=SDPFRAG | {"If-Match": '"etag-1"'}) as response:
        assert response.status == 404


async def test_another_method_is_405_and_names_those_allowed(client: aiohttp.ClientSession) -> None:
    async with client.put("/whep") as response:
        assert response.status == 405
        assert "POST" in response.headers["Allow"]
        assert response.content_type == "application/problem+json"

"""The older flow: the server offers, the viewer answers."""

import aiohttp
import pytest

from picam_webrtc.errors import TooManyViewers
from picam_webrtc_test.web.fakes import OFFER_SDP, FakeSessions


async def test_a_request_is_answered_with_the_servers_offer(
    client: aiohttp.ClientSession, sessions: FakeSessions
) -> None:
    async with client.post("/webrtc") as response:
        offer = await response.json()

    assert response.status == 201
    assert response.headers["Location"] == f"/webrtc/{offer['id']}"
    assert offer == {"id": offer["id"], "sdp": OFFER_SDP, "type": "offer"}
    assert sessions.open[offer["id"]].stream_name == "processed"
    assert sessions.open[offer["id"]].address == "127.0.0.1"


async def test_the_query_names_another_stream(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    async with client.post("/webrtc?stream=raw") as response:
        offer = await response.json()

    assert sessions.open[offer["id"]].stream_name == "raw"


async def test_an_unknown_stream_is_not_found(client: aiohttp.ClientSession) -> None:
    async with client.post("/webrtc?stream=sideways") as response:
        problem = await response.json(content_type="application/problem+json")

    assert response.status == 404
    assert problem["detail"] == "no stream 'sideways'; there are: processed, raw"


async def test_the_viewers_answer_reaches_the_session(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    async with client.post("/webrtc") as response:
        offer = await response.json()
    async with client.post(f"/webrtc/{offer['id']}", json={"sdp": "v=0", "type": "answer"}) as response:
        assert response.status == 204

    assert sessions.received[-1] == ("answer", "v=0")


@pytest.mark.parametrize("body", ['{"sdp": "v=0", "type": "offer"}', '{"type": "answer"}', "[]", "{", "[" * 9000])
async def test_what_is_no_answer_is_a_bad_request(client: aiohttp.ClientSession, body: str) -> None:
    async with client.post("/webrtc") as response:
        offer = await response.json()
    headers = {"Content-Type": "application/json"}
    async with client.post(f"/webrtc/{offer['id']}", data=body, headers=headers) as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"


async def test_an_answer_for_an_unknown_session_is_not_found(client: aiohttp.ClientSession) -> None:
    async with client.post("/webrtc/nobody", json={"sdp": "v=0", "type": "answer"}) as response:
        assert response.status == 404


async def test_delete_ends_the_session(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    async with client.post("/webrtc") as response:
        offer = await response.json()
    async with client.delete(f"/webrtc/{offer['id']}") as response:
        assert response.status == 200

    assert not sessions.open


async def test_the_limit_of_viewers_holds_here_too(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    sessions.error = TooManyViewers("8 viewers are watching, and no more are let in")
    async with client.post("/webrtc") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0

"""Offers as browsers make them, all candidates gathered."""

import asyncio

import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.fuzz.seeds import FOLDER
from picam_webrtc_test.streaming.fakes import Source, running

OFFERS = {path.stem: path.read_bytes().decode() for path in sorted(FOLDER.glob("offer_*.sdp"))}
NAME_TIMEOUT_S = 1.0
"""aioice waits as long for each mDNS name."""


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_an_offer_is_answered_at_once_whoever_its_candidates_name(offer: str) -> None:
    async with running(Source(), WebRtcSettings()) as (sessions, stream), asyncio.timeout(NAME_TIMEOUT_S):
        session = await sessions.answer(stream.name, offer)

        assert "a=candidate:" in session.sdp
        assert "a=sendonly" in session.sdp
        await sessions.close(session.id)


async def test_names_that_nobody_answers_to_do_not_end_the_session() -> None:
    offer = OFFERS["offer_chromium"]
    assert ".local" in offer
    async with running(Source(), WebRtcSettings()) as (sessions, stream):
        session = await sessions.answer(stream.name, offer)
        await asyncio.sleep(1.5 * NAME_TIMEOUT_S)

        assert sessions.get(session.id).state != "failed"

"""Bad links, real ones: they hurt their own viewer as little as can be, and nobody else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.moving_source import play
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.snapshot import ViewerSnapshot
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.session.sessions import Sessions
from picam_webrtc_test.streaming.fakes import until
from picam_webrtc_test.streaming.links import available, far_viewer, link

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not available(), reason="needs root, iproute2 and nftables"),
]
SETTINGS = WebRtcSettings(bitrate=2_000_000)
MEASURED_S = 10.0
CALM_LOSS = 0.02
"""A link that is flooded until the smaller picture comes loses far more."""


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    """A 720p30 stream of 2 Mbit/s."""
    stream = Stream("bench", SETTINGS, on_demand=lambda _: None, is_live=lambda: True)
    async with Sessions([stream], SETTINGS) as sessions:
        playing = asyncio.create_task(play(stream.push))
        yield sessions
        playing.cancel()


def seen(sessions: Sessions, session_id: str) -> ViewerSnapshot:
    return next(viewer for viewer in sessions.snapshot().viewers if viewer.id == session_id)


async def test_a_link_that_loses_five_percent_still_shows_the_picture(sessions: Sessions) -> None:
    with link() as lossy:
        async with lossy.viewer() as unlucky, far_viewer() as lucky:
            bad, good = await unlucky.watch(sessions, "bench"), await lucky.watch(sessions, "bench")
            await until(lambda: all(viewer.frames_sent for viewer in sessions.snapshot().viewers))
            lossy.lose(percent=5)
            await asyncio.sleep(2)
            rates = await asyncio.gather(unlucky.frame_rate(MEASURED_S), lucky.frame_rate(MEASURED_S))
            worse, better = seen(sessions, bad.id), seen(sessions, good.id)
            print(rates, worse, sep="\n")

    assert rates[0] >= 20
    assert rates[1] >= 29
    assert worse.packets_resent > 0
    assert 8 * worse.bytes_resent <= 0.16 * 8 * worse.bytes_sent
    assert (better.rung, better.packets_resent, better.times_full) == ("full", 0, 0)


@pytest.mark.timeout(240)
async def test_a_narrow_link_gets_a_smaller_picture_and_the_others_keep_theirs(sessions: Sessions) -> None:
    with link() as narrow:
        async with narrow.viewer() as slow, far_viewer() as fast:
            narrow.narrow(kbit_per_s=500)
            bad, good = await slow.watch(sessions, "bench"), await fast.watch(sessions, "bench")
            await until(lambda: seen(sessions, bad.id).rung != "full")
            await until(lambda: (seen(sessions, bad.id).loss or 0.0) <= CALM_LOSS, patience_s=60)
            # aiortc holds pictures back until 512 packets follow a lost one: many seconds on so narrow a link.
            await slow.see(300)
            rates = await asyncio.gather(slow.frame_rate(MEASURED_S), fast.frame_rate(MEASURED_S))
            worse, better = seen(sessions, bad.id), seen(sessions, good.id)
            print(rates, worse, sep="\n")
            narrow.widen()
            await until(lambda: seen(sessions, bad.id).rung == "full", patience_s=90)

    assert worse.rung == "quarter"
    assert worse.rung_changes <= 2
    assert rates[0] >= 20
    assert rates[1] >= 29
    assert (better.rung, better.rung_changes) == ("full", 0)

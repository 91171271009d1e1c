"""Places for viewers: in all, for one address, and for those who have not connected yet."""

import pytest

from picam_webrtc.errors import TooManyViewers
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.streaming.fakes import Source, running, viewer


async def test_one_address_cannot_take_every_place() -> None:
    settings = WebRtcSettings(max_viewers_per_address=1)
    async with running(Source(), settings) as (sessions, stream):
        session = await sessions.offer(stream.name, "192.0.2.1")
        with pytest.raises(TooManyViewers, match="all 1 places for one address are taken"):
            await sessions.offer(stream.name, "192.0.2.1")
        await sessions.offer(stream.name, "192.0.2.2")
        await sessions.close(session.id)
        await sessions.offer(stream.name, "192.0.2.1")


async def test_only_so_many_may_be_connecting_at_a_time() -> None:
    settings = WebRtcSettings(max_pending_sessions=1)
    async with running(Source(), settings) as (sessions, stream), viewer() as watching:
        waiting = await sessions.offer(stream.name)
        with pytest.raises(TooManyViewers, match="1 viewers are connecting already"):
            await sessions.offer(stream.name)
        await sessions.close(waiting.id)
        await watching.watch(sessions)
        await watching.see(1)

        await sessions.offer(stream.name)


async def test_the_number_of_viewers_is_told_each_time_it_changes() -> None:
    counts: list[int] = []
    async with running(Source(), WebRtcSettings(), on_viewers=counts.append) as (sessions, _), viewer() as watching:
        session = await watching.watch(sessions)
        await watching.see(1)
        waiting = await sessions.offer("processed")
        assert counts == [1]

        await sessions.close(waiting.id)
        await sessions.close(session.id)
        assert counts == [1, 0]

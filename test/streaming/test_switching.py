"""A viewer that changes renditions goes on seeing pictures, on each of them."""

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.rendition import LADDER
from picam_webrtc_test.streaming.fakes import Source, running, until, viewer

WIDTH, HEIGHT = 640, 360


async def test_every_change_of_rendition_is_seen() -> None:
    async with (
        running(Source(WIDTH, HEIGHT), WebRtcSettings(adaptive=False)) as (sessions, stream),
        viewer() as watching,
    ):
        session = await watching.watch(sessions)
        await watching.see(3)
        assert session.viewer is not None
        for rung in (1, 2, 0, 2, 1, 0):
            stream._broadcast.assign(session.viewer, rung)
            size = LADDER[rung].size(WIDTH, HEIGHT)
            await until(lambda size=size: (watching.frames[-1].width, watching.frames[-1].height) == size)  # type: ignore[misc]
            await watching.see(5)

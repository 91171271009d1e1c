"""The web server in front of real sessions that show the moving test pattern: all but ROS and the camera."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.source import make_source
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc.streaming.sessions import Sessions
from picam_webrtc.streaming.stream import Stream
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve
from test.viewer import Viewer, viewer

FRAME_RATE = 30.0
CAMERA = CameraSettings(source="test_pattern", width=640, height=360, frame_rate=FRAME_RATE)


@dataclass(frozen=True)
class Live:
    url: str
    port: int
    sessions: Sessions


@asynccontextmanager
async def live_server(settings: WebRtcSettings) -> AsyncIterator[Live]:
    """Streams `processed` and `raw`, of which only the first has frames."""
    streams = [
        Stream(name, settings, transform="none", on_demand=lambda _: None, is_live=lambda: True)
        for name in ("processed", "raw")
    ]
    async with AsyncExitStack() as stack:
        stack.enter_context(Capture(make_source(CAMERA), streams[0].push))
        sessions = await stack.enter_async_context(Sessions(streams, settings))
        address = await stack.enter_async_context(serve(make_app(sessions, settings), settings))
        yield Live(address.url, address.port, sessions)


class HonestViewer:
    """Watches from this process as a polite viewer does, and counts the pictures that arrive."""

    def __init__(self, viewer: Viewer) -> None:
        self.pictures = 0
        self._viewer = viewer

    async def frame_rate(self, duration_s: float) -> float:
        """Pictures a second over the next `duration_s`."""
        before = self.pictures
        await asyncio.sleep(duration_s)
        return (self.pictures - before) / duration_s

    async def watch(self) -> None:
        while True:
            await self._viewer.next_frame()
            self.pictures += 1


@asynccontextmanager
async def honest_viewer(live: Live) -> AsyncIterator[HonestViewer]:
    """Yields once it sees the picture."""
    async with viewer(live.url) as connection:
        await connection.connect_by_whep()
        await connection.next_frame()
        honest = HonestViewer(connection)
        watching = asyncio.create_task(honest.watch())
        try:
            yield honest
            assert not watching.done(), "the viewer lost the picture"
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

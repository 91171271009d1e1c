"""The web server in front of real sessions that show the moving test pattern: all but ROS and the camera."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.source import make_source
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.session.sessions import Sessions
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve

FIRST_PICTURE_TIMEOUT_S = 20.0
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
    streams = [Stream(name, settings, on_demand=lambda _: None, is_live=lambda: True) for name in ("processed", "raw")]
    async with AsyncExitStack() as stack:
        stack.enter_context(Capture(make_source(CAMERA), streams[0].push))
        sessions = await stack.enter_async_context(Sessions(streams, settings))
        address = await stack.enter_async_context(serve(make_app(sessions, settings), settings))
        yield Live(address.url, address.port, sessions)


class HonestViewer:
    """Watches as a polite viewer does, and counts the pictures that arrive."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pictures = 0
        self.process = process

    async def frame_rate(self, duration_s: float) -> float:
        """Pictures a second over the next `duration_s`."""
        before = self.pictures
        await asyncio.sleep(duration_s)
        return (self.pictures - before) / duration_s

    async def count(self, lines: asyncio.StreamReader) -> None:
        while await lines.readline():
            self.pictures += 1


@asynccontextmanager
async def honest_viewer(live: Live, token: str = "") -> AsyncIterator[HonestViewer]:
    """In a process of its own, so that it is not what slows down the server. Yields once it sees the picture."""
    command = (sys.executable, "-m", "picam_webrtc_test.web.clients.watch", live.url, token)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    honest = HonestViewer(process)
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), FIRST_PICTURE_TIMEOUT_S), "the viewer saw nothing"
        counting = asyncio.create_task(honest.count(process.stdout))
        yield honest
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    await counting

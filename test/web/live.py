"""The web server in front of real sessions that show the moving test pattern: all but ROS and the camera."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.source import make_source
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc.streaming.sessions import Sessions
from picam_webrtc.streaming.stream import Stream
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve

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

    def __init__(self, live: Live, token: str = "") -> None:
        self.pictures = 0
        self._live = live
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._session = ""

    async def __aenter__(self) -> "HonestViewer":
        self._peer.addTransceiver("video", direction="recvonly")
        await self._peer.setLocalDescription(await self._peer.createOffer())
        headers = self._headers | {"Content-Type": "application/sdp"}
        offer = self._peer.localDescription.sdp
        async with (
            aiohttp.ClientSession(self._live.url, headers=headers) as client,
            client.post("/whep", data=offer) as response,
        ):
            assert response.status == 201, await response.text()
            self._session = response.headers["Location"]
            answer = RTCSessionDescription(await response.text(), "answer")
        await self._peer.setRemoteDescription(answer)
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        async with (
            aiohttp.ClientSession(self._live.url, headers=self._headers) as client,
            client.delete(self._session) as response,
        ):
            assert response.status == 200
        await self._peer.close()
        await self._watching

    async def frame_rate(self, duration_s: float) -> float:
        """Pictures a second over the next `duration_s`."""
        before = self.pictures
        await asyncio.sleep(duration_s)
        return (self.pictures - before) / duration_s

    async def _watch(self) -> None:
        track = self._peer.getTransceivers()[0].receiver.track
        try:
            while True:
                await track.recv()
                self.pictures += 1
        except MediaStreamError:
            return

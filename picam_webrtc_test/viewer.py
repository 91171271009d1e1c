"""A viewer without a browser: aiortc as the far end, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

FRAME_TIMEOUT_S = 10.0
MOST_ATTEMPTS = 10
NO_ICE_SERVERS = RTCConfiguration(iceServers=[])


class Viewer:
    """A peer connection that receives one video track; frames are taken with `next_frame`."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._base_url = base_url
        self._session_url = ""
        self.connection = RTCPeerConnection(NO_ICE_SERVERS)
        self._track = asyncio.get_running_loop().create_future()
        self.connection.on("track", self._track.set_result)

    async def connect_by_whep(self, stream: str = "") -> None:
        """We make the offer."""
        self.connection.addTransceiver("video", direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        url = f"{self._base_url}/whep" + (f"/{stream}" if stream else "")
        headers = {"Content-Type": "application/sdp"}
        async with self._posted(url, data=self.connection.localDescription.sdp, headers=headers) as response:
            assert response.status == 201, await response.text()
            self._session_url = f"{self._base_url}{response.headers['Location']}"
            answer = RTCSessionDescription(await response.text(), "answer")
        await self.connection.setRemoteDescription(answer)

    async def connect_by_server_offer(self) -> None:
        """The server makes the offer."""
        async with self._posted(f"{self._base_url}/webrtc") as response:
            assert response.status in (200, 201), await response.text()
            offer = await response.json()
        assert offer.keys() == {"id", "sdp", "type"}
        self._session_url = f"{self._base_url}/webrtc/{offer['id']}"
        await self.connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        answer = {"sdp": self.connection.localDescription.sdp, "type": "answer"}
        async with self._http.post(self._session_url, json=answer) as response:
            assert response.status in (200, 204), await response.text()

    @asynccontextmanager
    async def _posted(self, url: str, **content: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a POST, repeated as the server asks while nobody publishes the stream's topic yet."""
        for _ in range(MOST_ATTEMPTS):
            async with self._http.post(url, **content) as response:
                if response.status == HTTPStatus.CONFLICT:
                    await asyncio.sleep(float(response.headers["Retry-After"]))
                    continue
                yield response
                return
        raise AssertionError(f"{url}: nobody publishes the stream's topic")

    async def next_frame(self) -> VideoFrame:
        track = await asyncio.wait_for(asyncio.shield(self._track), FRAME_TIMEOUT_S)
        try:
            frame = await asyncio.wait_for(track.recv(), FRAME_TIMEOUT_S)
        except MediaStreamError as error:
            raise AssertionError("the track has ended") from error
        assert isinstance(frame, VideoFrame)
        return frame

    async def leave(self) -> None:
        if self._session_url:
            with suppress(aiohttp.ClientConnectionError):  # a server that has ended holds no session
                async with self._http.delete(self._session_url) as response:
                    assert response.status in (200, 204, 404), await response.text()
            self._session_url = ""
        await self.connection.close()


@asynccontextmanager
async def viewer(base_url: str, token: str = "") -> AsyncIterator[Viewer]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as http:
        one = Viewer(http, base_url.rstrip("/"))
        try:
            yield one
        finally:
            await one.leave()

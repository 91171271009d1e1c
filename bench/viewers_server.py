"""The server side of `bench.viewers`, a process of its own: our engine, or plain aiortc for comparison.

Reads a JSON object a line and answers with one: `{"op": "answer", "sdp": ...}` joins a viewer,
`{"op": "leave", "id": ...}` ends it, `{"op": "usage"}` gives CPU and memory, `{"op": "tidy"}` hands unused memory back,
`{"op": "clock"}` gives an RTP timestamp and the capture time that it stands for.
"""

import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import resource
import sys
import threading
import time
from contextlib import AsyncExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpsender
from aiortc.codecs import h264
from aiortc.contrib.media import MediaRelay

from bench.child import answer_requests
from bench.moving_source import play
from picam_webrtc.frame import Frame
from picam_webrtc.ros.process.memory import keep_image_buffers
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.snapshot import StreamSnapshot
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.session.sessions import Sessions

BITRATE = 2_000_000
CLOCK_HZ = 90_000
NANOSECONDS = 1_000_000_000


class Server(Protocol):
    async def answer(self, offer_sdp: str) -> tuple[str, str]:
        """Join a viewer; its id and our answer."""

    async def leave(self, viewer_id: str) -> None: ...

    def clock(self) -> tuple[int, int]:
        """An RTP timestamp, and the capture stamp [ns] of the frame that has it."""

    def details(self) -> dict[str, Any]: ...


class Ours:
    """The engine of webrtc_node and its allocator, which plain aiortc has not, without ROS and HTTP."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @classmethod
    async def start(cls, stack: AsyncExitStack) -> "Ours":
        keep_image_buffers()
        settings = WebRtcSettings(bitrate=BITRATE, max_viewers=1000, keyframe_interval=10.0)
        stream = Stream("bench", settings, on_demand=lambda _: None, is_live=lambda: True)
        sessions = await stack.enter_async_context(Sessions([stream], settings))
        stack.callback(asyncio.create_task(play(stream.push)).cancel)
        return cls(sessions)

    async def answer(self, offer_sdp: str) -> tuple[str, str]:
        session = await self._sessions.answer("bench", offer_sdp)
        return session.id, session.sdp

    async def leave(self, viewer_id: str) -> None:
        await self._sessions.close(viewer_id)

    def clock(self) -> tuple[int, int]:
        newest = self._stream.newest
        return (newest.timestamp, newest.stamp_ns) if newest is not None else (0, 0)

    def details(self) -> dict[str, Any]:
        stream = self._stream
        return {
            "paths": sorted({viewer.path for viewer in stream.viewers}),
            "encoders": [rendition.encoder for rendition in stream.renditions],
            "viewers": len(stream.viewers),
            "keyframes": sum(rendition.keyframes_given for rendition in stream.renditions),
        }

    @property
    def _stream(self) -> StreamSnapshot:
        return self._sessions.snapshot().streams[0]


class PlainTrack(MediaStreamTrack):
    """The textbook's track: the newest picture, as it comes."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.epoch_ns = time.time_ns()
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(1)

    def push(self, frame: Frame) -> None:
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    async def recv(self) -> av.VideoFrame:
        frame = await self._frames.get()
        picture = av.VideoFrame.from_ndarray(frame.pixels, format="bgr24")
        picture.pts = (frame.stamp_ns - self.epoch_ns) * CLOCK_HZ // NANOSECONDS
        picture.time_base = Fraction(1, CLOCK_HZ)
        return picture


class Plain:
    """aiortc as its examples use it: a relayed track, encoded again for every viewer."""

    def __init__(self) -> None:
        self._track = PlainTrack()
        self._relay = MediaRelay()
        self._connections: dict[str, RTCPeerConnection] = {}

    @classmethod
    async def start(cls, stack: AsyncExitStack) -> "Plain":
        plain = cls()
        # The same bitrate as ours; and timestamps that count from (about) nought, so that frames' ages can be told.
        stack.enter_context(mock.patch.object(h264, "DEFAULT_BITRATE", BITRATE))
        numbers = itertools.count(1)
        stack.enter_context(mock.patch.object(rtcrtpsender, "random32", numbers.__next__))
        stack.callback(asyncio.create_task(play(plain._track.push)).cancel)
        stack.push_async_callback(plain._close)
        return plain

    async def answer(self, offer_sdp: str) -> tuple[str, str]:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTrack(self._relay.subscribe(self._track))
        await connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        viewer_id = str(len(self._connections))
        self._connections[viewer_id] = connection
        return viewer_id, connection.localDescription.sdp

    async def leave(self, viewer_id: str) -> None:
        await self._connections[viewer_id].close()

    def clock(self) -> tuple[int, int]:
        return 0, self._track.epoch_ns

    def details(self) -> dict[str, Any]:
        return {}

    async def _close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))


def usage() -> dict[str, float]:
    """CPU seconds so far, memory in MB, and what could be left behind."""
    times = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "cpu_s": times.ru_utime + times.ru_stime,
        "rss_mb": pages * resource.getpagesize() / 1e6,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
    }


async def obey(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    match request["op"]:
        case "answer":
            viewer_id, sdp = await server.answer(request["sdp"])
            return {"id": viewer_id, "sdp": sdp}
        case "leave":
            await server.leave(request["id"])
            return {}
        case "clock":
            timestamp, stamp_ns = server.clock()
            return {"timestamp": timestamp, "stamp_ns": stamp_ns}
        case "tidy":
            gc.collect()
            with contextlib.suppress(AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
            return {}
        case "usage":
            return {**usage(), **server.details()}
    raise ValueError(f"unknown request: {request}")


async def main() -> None:
    async with AsyncExitStack() as stack:
        kinds: dict[str, type[Ours] | type[Plain]] = {"ours": Ours, "aiortc": Plain}
        server = await kinds[sys.argv[1]].start(stack)
        await answer_requests(partial(obey, server))


if __name__ == "__main__":
    asyncio.run(main())

"""The robot's side of `bench.publish`, a process of its own: our engine with many streams of one 720p30 source.

Reads a JSON object a line and answers with one: `{"op": "answer", "stream": ..., "sdp": ...}` joins a viewer,
`{"op": "publish", "urls": [...]}` publishes from then on, `{"op": "usage"}` gives CPU and what was sent.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any

from bench.child import answer_requests
from bench.moving_source import play
from bench.viewers_server import BITRATE, usage
from picam_webrtc.frame import Frame
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.publish.publishers import Publishers
from picam_webrtc.streaming.session.sessions import Sessions


class Robot:
    """`streams` of them, named s0, s1, ..., all fed with the same frames."""

    def __init__(self, sessions: Sessions, stack: AsyncExitStack) -> None:
        self._sessions = sessions
        self._stack = stack
        self._publishers: Publishers | None = None

    @classmethod
    async def start(cls, stack: AsyncExitStack, streams: int) -> "Robot":
        settings = WebRtcSettings(bitrate=BITRATE)
        made = [
            Stream(f"s{number}", settings, on_demand=lambda _: None, is_live=lambda: True) for number in range(streams)
        ]

        def push(frame: Frame) -> None:
            for stream in made:
                stream.push(frame)

        sessions = await stack.enter_async_context(Sessions(made, settings))
        stack.callback(asyncio.create_task(play(push)).cancel)
        return cls(sessions, stack)

    async def obey(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["op"]:
            case "answer":
                session = await self._sessions.answer(request["stream"], request["sdp"])
                return {"sdp": session.sdp}
            case "publish":
                settings = WebRtcSettings(bitrate=BITRATE, publish_urls=tuple(request["urls"]))
                self._publishers = await self._stack.enter_async_context(Publishers(self._sessions, settings))
                return {}
            case "usage":
                return {**usage(), **self._sent()}
        raise ValueError(f"unknown request: {request}")

    def _sent(self) -> dict[str, Any]:
        publishing = self._publishers.snapshot() if self._publishers is not None else ()
        return {
            "frames": sum(viewer.frames_sent for viewer in self._sessions.snapshot().viewers),
            "states": [one.state for one in publishing],
            "connections": sum(one.connections for one in publishing),
        }


async def main() -> None:
    async with AsyncExitStack() as stack:
        robot = await Robot.start(stack, int(sys.argv[1]))
        await answer_requests(robot.obey)


if __name__ == "__main__":
    asyncio.run(main())

"""What publishing to a media server costs, and how soon it is back: `python -m bench.publish --json`.

    python -m bench.publish --json [--streams 10] [--readers 3] [--seconds 10] [--restarts 10] [--away 30]

The robot is a process of its own (`bench.publish_server`): streams of a 720p30 moving source at 2 Mbit/s. They are
measured twice, once with one viewer each and once published to go2rtc on loopback, where each has `readers` readers.
Then go2rtc is killed for `away` seconds and started again, `restarts` times, beside a local viewer of another stream.
The last line is a JSON object. `cpu_ms_per_frame` is the robot's alone, so that it also tells where the machine is too
small for the full rate; the ratios are those of publishing to viewers. `back_s` are the seconds from the restart
to the first frame through go2rtc, `local` what the local viewer got meanwhile: `fps` on the whole, and the longest time
between two frames, by their arrival in its socket.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from bench.child import Child
from bench.light_viewer import LightViewer
from bench.process_figures import cpu_s
from picam_webrtc_test.media_server import Go2rtc, go2rtc

SETTLING_S = 3.0
PATIENCE_S = 20.0
STEADY_S = 12.0
"""Longer than a connection takes to count as a good one."""


class Robot(Child):
    """`bench.publish_server` as a child."""

    @classmethod
    async def of(cls, stack: AsyncExitStack, streams: int) -> "Robot":
        robot = await cls.start("bench.publish_server", str(streams))
        stack.push_async_callback(robot.stop)
        await robot.ask(op="usage")
        return robot

    async def view(self, stack: AsyncExitStack, stream: str) -> LightViewer:
        viewer = LightViewer(lambda *_: None)
        stack.push_async_callback(viewer.close)
        answer = await self.ask(op="answer", stream=stream, sdp=await viewer.offer())
        await viewer.accept(answer["sdp"])
        await asyncio.wait_for(viewer.first_frame.wait(), PATIENCE_S)
        return viewer

    async def publish(self, urls: list[str]) -> None:
        await self.ask(op="publish", urls=urls)
        async with asyncio.timeout(PATIENCE_S):
            while (await self.ask(op="usage"))["connections"] < len(urls):  # noqa: ASYNC110 -- of another process
                await asyncio.sleep(0.1)


async def read(stack: AsyncExitStack, http: aiohttp.ClientSession, url: str) -> LightViewer:
    """A reader at the media server, tried until it has a whole frame."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            viewer = LightViewer(lambda *_: None)
            headers = {"Content-Type": "application/sdp"}
            async with http.post(url, data=await viewer.offer(), headers=headers) as response:
                answer = await response.text()
            if response.status == HTTPStatus.CREATED:
                stack.push_async_callback(viewer.close)
                await viewer.accept(answer)
                await viewer.first_frame.wait()
                return viewer
            await viewer.close()
            await asyncio.sleep(0.1)


async def measure(robot: Robot, viewers: list[LightViewer], seconds: float, server: Go2rtc | None) -> dict[str, Any]:
    await asyncio.sleep(SETTLING_S)
    before, started = await robot.ask(op="usage"), time.monotonic()
    server_before = cpu_s(server.pid) if server is not None else 0.0
    frames = sum(viewer.received.frames for viewer in viewers)
    await asyncio.sleep(seconds)
    after, elapsed = await robot.ask(op="usage"), time.monotonic() - started
    sent = after["frames"] - before["frames"]
    row = {
        "cpu_percent": round(100 * (after["cpu_s"] - before["cpu_s"]) / elapsed, 1),
        "cpu_ms_per_frame": round(1000 * (after["cpu_s"] - before["cpu_s"]) / max(sent, 1), 3),
        "frames_sent_per_s": round(sent / elapsed, 1),
        "frames_received_per_s": round((sum(viewer.received.frames for viewer in viewers) - frames) / elapsed, 1),
    }
    if server is not None:
        row["media_server_cpu_percent"] = round(100 * (cpu_s(server.pid) - server_before) / elapsed, 1)
    log(row)
    return row


async def with_viewers(streams: int, seconds: float) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        robot = await Robot.of(stack, streams)
        viewers = [await robot.view(stack, f"s{number}") for number in range(streams)]
        return await measure(robot, viewers, seconds, None)


async def published(streams: int, readers: int, seconds: float) -> dict[str, Any]:
    names = [f"s{number}" for number in range(streams)]
    async with AsyncExitStack() as stack:
        robot, server, http = await around_a_media_server(stack, names)
        await robot.publish([f"{name}:={server.whip(name)}" for name in names])
        viewers = [await read(stack, http, server.whep(name)) for name in names for _ in range(readers)]
        return await measure(robot, viewers, seconds, server)


async def around_a_media_server(stack: AsyncExitStack, names: list[str]) -> tuple[Robot, Go2rtc, aiohttp.ClientSession]:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = await stack.enter_async_context(go2rtc(directory, dict.fromkeys(names, "")))
    http = await stack.enter_async_context(aiohttp.ClientSession())
    return await Robot.of(stack, len(names)), server, http


async def restarts(times: int, away_s: float) -> dict[str, Any]:
    """The media server is killed and started again; one local viewer watches all the while."""
    back_s: list[float] = []
    async with AsyncExitStack() as stack:
        robot, server, http = await around_a_media_server(stack, ["s0", "s1"])
        await robot.publish([f"s0:={server.whip('s0')}"])
        local = await robot.view(stack, "s1")
        local.received.longest_gap_s = 0.0
        frames, began = local.received.frames, time.monotonic()
        for _ in range(times):
            await asyncio.sleep(STEADY_S)
            await server.kill()
            await asyncio.sleep(away_s)
            await server.start()
            started = time.monotonic()
            async with AsyncExitStack() as reading:
                await read(reading, http, server.whep("s0"))
                back_s.append(round(time.monotonic() - started, 2))
            log(back_s)
        fps = (local.received.frames - frames) / (time.monotonic() - began)
        watched = {"fps": round(fps, 2), "longest_gap_ms": round(1000 * local.received.longest_gap_s, 1)}
    return {"back_s": back_s, "back_s_max": max(back_s), "local": watched}


def log(what: object) -> None:
    print(what, file=sys.stderr, flush=True)


async def main() -> None:
    arguments = parse()
    report: dict[str, Any] = {"streams": arguments.streams, "readers": arguments.readers}
    if arguments.streams:
        report["viewers"] = await with_viewers(arguments.streams, arguments.seconds)
        report["published"] = await published(arguments.streams, arguments.readers, arguments.seconds)
        for figure in ("cpu_percent", "cpu_ms_per_frame"):
            report[f"ratio_{figure}"] = round(report["published"][figure] / report["viewers"][figure], 3)
    if arguments.restarts:
        report["restarts"] = await restarts(arguments.restarts, arguments.away)
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the result as one line")
    parser.add_argument("--streams", type=int, default=10, help="streams of one robot; 0 leaves this part out")
    parser.add_argument("--readers", type=int, default=3, help="readers of each stream at the media server")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each way is measured")
    parser.add_argument("--restarts", type=int, default=10, help="restarts of the media server; 0 leaves this part out")
    parser.add_argument("--away", type=float, default=30.0, help="how long it is away each time [s]")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())

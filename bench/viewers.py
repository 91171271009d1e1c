"""How many viewers one process serves: our engine next to plain aiortc, in one run.

    python -m bench.viewers --json [--viewers 1,8,32] [--plain 1,2,4] [--seconds 10]

The server is a process of its own (`bench.viewers_server`) with a 720p30 moving source at 2 Mbit/s; this process
holds the viewers, which complete ICE and DTLS-SRTP and count decrypted packets and complete frames. The last line is
a JSON object. `cpu_percent` is the server's, of one core; ages run from the capture stamp to the arrival of a frame's
last packet in the viewer's socket, by the kernel's clock. `marginal_cpu_ours` is the slope from 8 to 64 viewers (or
over all rows, with other numbers); `marginal_cpu_aiortc` is its cheapest row's cost, above that of no viewer, for
each viewer's worth of 30 frames a second that was delivered: aiortc loses frames long before it has enough rows for
a slope, and this counts in its favour.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.child import Child
from bench.light_viewer import CaptureClock, LightViewer

SERVER = "bench.viewers_server"
FULL_RATE = 30.0
SETTLING_S = 2.0
JOIN_PATIENCE_S = 10.0
OURS, PLAIN = (1, 8, 32, 64, 100), (1, 2, 4, 8)
SLOPE_FROM, SLOPE_TO = 8, 64


class Audience:
    """The viewers of one server."""

    def __init__(self, server: Child) -> None:
        self.viewers: list[LightViewer] = []
        self.joins_ms: list[float] = []
        self._server = server
        self._clock = CaptureClock()

    async def grow_to(self, count: int) -> None:
        while len(self.viewers) < count:
            started = time.monotonic()
            viewer = LightViewer(self._clock.age_s)
            self.viewers.append(viewer)
            answer = await self._server.ask(op="answer", sdp=await viewer.offer())
            await viewer.accept(answer["sdp"])
            await asyncio.wait_for(viewer.first_frame.wait(), JOIN_PATIENCE_S)
            self.joins_ms.append(1000 * (time.monotonic() - started))
        self._clock.set(**await self._server.ask(op="clock"))

    async def measure(self, seconds: float) -> dict[str, Any]:
        """One row of the result, and the server's memory."""
        await asyncio.sleep(SETTLING_S)
        frames = [viewer.received.frames for viewer in self.viewers]
        for viewer in self.viewers:
            viewer.received.ages_s.clear()
        before, started = await self._server.ask(op="usage"), time.monotonic()
        await asyncio.sleep(seconds)
        after, elapsed = await self._server.ask(op="usage"), time.monotonic() - started
        rates = [(viewer.received.frames - start) / elapsed for viewer, start in zip(self.viewers, frames, strict=True)]
        ages_ms = sorted(1000 * age for viewer in self.viewers for age in viewer.received.ages_s)
        row = {
            "viewers": len(self.viewers),
            "cpu_percent": round(100 * (after["cpu_s"] - before["cpu_s"]) / elapsed, 1),
            "fps_min": round(min(rates, default=0), 2),
            "fps_median": round(statistics.median(rates), 2) if rates else 0,
            "frame_age_ms_p50": round(quantile(ages_ms, 0.5), 1),
            "frame_age_ms_p95": round(quantile(ages_ms, 0.95), 1),
        }
        log(f"{row} {after}")
        return {"row": row, "rss_mb": after["rss_mb"]}

    async def close(self) -> None:
        await asyncio.gather(*(viewer.close() for viewer in self.viewers))


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Of the least squares line; None for less than two points."""
    if len({x for x, _ in points}) < 2:
        return None
    xs, ys = zip(*points, strict=True)
    return round(statistics.linear_regression(xs, ys).slope, 4)


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(kind: str, counts: Sequence[int], seconds: float) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows with memory, for rising numbers of viewers; and how long each took to join [ms]."""
    server = await Child.start(SERVER, kind)
    audience = Audience(server)
    results = []
    try:
        await server.ask(op="usage")
        for count in counts:
            log(f"{kind}: {count} viewers")
            await audience.grow_to(count)
            results.append(await audience.measure(seconds))
    finally:
        await audience.close()
        await server.stop()
    return results, audience.joins_ms


async def main() -> None:
    arguments = parse()
    ours, joins_ms = await run("ours", arguments.viewers, arguments.seconds)
    plain, _ = await run("aiortc", [0, *arguments.plain], arguments.seconds) if arguments.plain else ([], [])
    rows = [result["row"] for result in ours]
    between = [row for row in rows if SLOPE_FROM <= row["viewers"] <= SLOPE_TO]
    report = {
        "ours": rows,
        "aiortc": [result["row"] for result in plain if result["row"]["viewers"]],
        "marginal_cpu_ours": cpu_slope(between if len(between) > 1 else rows),
        "marginal_cpu_aiortc": cost_of_a_viewer([result["row"] for result in plain]),
        "join_ms_p95": round(quantile(sorted(joins_ms), 0.95), 1),
        "rss_mb_per_viewer": slope([(result["row"]["viewers"], result["rss_mb"]) for result in ours]),
    }
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


def cpu_slope(rows: Sequence[dict[str, Any]]) -> float | None:
    return slope([(row["viewers"], row["cpu_percent"]) for row in rows])


def cost_of_a_viewer(rows: Sequence[dict[str, Any]]) -> float | None:
    """The least, over the rows, of what a viewer at the full rate costs above the first row."""
    costs = [
        (row["cpu_percent"] - rows[0]["cpu_percent"]) / (row["viewers"] * row["fps_median"] / FULL_RATE)
        for row in rows[1:]
        if row["fps_median"]
    ]
    return round(min(costs), 2) if costs else None


def parse() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return sorted(int(word) for word in text.split(",") if word)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the result as one line")
    parser.add_argument("--viewers", type=numbers, default=list(OURS), help="numbers of viewers of our engine")
    parser.add_argument("--plain", type=numbers, default=list(PLAIN), help="numbers of viewers of plain aiortc")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each number is measured")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())

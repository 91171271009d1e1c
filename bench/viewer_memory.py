"""Memory over time: many viewers, and one that never reads what it is sent.

    python -m bench.viewer_memory --json [--viewers 32] [--minutes 10]

The last line is a JSON object: the server's memory each half minute in `rss_mb`, and `growth_mb_per_minute`, the slope
after the first minute. The viewer that does not read is noticed by its silence after half a minute and joins again.
"""

import argparse
import asyncio
import json
import statistics
import time

from bench.child import Child
from bench.light_viewer import CaptureClock, LightViewer
from bench.viewers import SERVER, Audience, log
from picam_webrtc.background import background

SAMPLE_S = 30.0
WARM_UP_SAMPLES = 2


async def stall_for_ever(server: Child) -> None:
    """One viewer after the other that connects and then leaves everything in its socket."""
    while True:
        viewer = LightViewer(CaptureClock().age_s)
        answer = await server.ask(op="answer", sdp=await viewer.offer())
        await viewer.accept(answer["sdp"])
        await viewer.first_frame.wait()
        viewer.stop_reading()
        await asyncio.sleep(SAMPLE_S + 5)
        await viewer.close()


async def main() -> None:
    arguments = parse()
    server = await Child.start(SERVER, "ours")
    audience = Audience(server)
    samples = []
    await audience.grow_to(arguments.viewers)
    async with background(stall_for_ever(server)):
        end = time.monotonic() + 60 * arguments.minutes
        while time.monotonic() < end:
            await asyncio.sleep(min(SAMPLE_S, 60 * arguments.minutes / 4))
            usage = await server.ask(op="usage")
            log(str(usage))
            samples.append(round(usage["rss_mb"], 1))
    await audience.close()
    await server.stop()
    steady = samples[WARM_UP_SAMPLES:]
    minutes = [number * SAMPLE_S / 60 for number in range(len(steady))]
    growth = statistics.linear_regression(minutes, steady).slope if len(steady) > 1 else None
    report = {"rss_mb": samples, "growth_mb_per_minute": round(growth, 3) if growth is not None else None}
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the result as one line")
    parser.add_argument("--viewers", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10.0)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())

"""From capture to the browser's screen: `python -m bench.latency [--json] [--seconds 20]`.

The test pattern carries its time of capture in its pixels; a script in Chromium, on the same machine and so by the
same clock, reads it from every picture that is presented (`presentationTime` of requestVideoFrameCallback).
1280x720 at 30 frames a second, one viewer, three ways, one after the other:

- `ours`: `python -m picam_webrtc`, transform none;
- `ours_inference`: the same with the default model;
- `naive`: the textbook nodes of bench/naive_camera.py and bench/naive_server.py.

The last line of output is one JSON object of `..._ms_p50` and `..._ms_p95`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from domain_coordinator import domain_id

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.process.shared_memory import PROFILE_VARIABLES
from picam_webrtc_test.browser import open_chromium, wait_until
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.web.pattern import read_patterns

WARM_UP_S = 4.0
URL_PATTERN = r"The page is at (http://\S+)"
STOP_TIMEOUT_S = 10.0


@contextmanager
def ours(transform: str) -> Iterator[str]:
    parameters: Mapping[str, ParameterValue] = {"source": "test_pattern", "transform": transform, "port": 0}
    with node_process("picam_webrtc", parameters) as process:
        yield process.wait_for_line(URL_PATTERN)[1] + "?embed=1"


@contextmanager
def naive() -> Iterator[str]:
    environment = {name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES}
    with ExitStack() as stack:
        processes = [
            subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=subprocess.PIPE, text=True)
            for module in ("bench.naive_server", "bench.naive_camera")
        ]
        for process in processes:
            stack.callback(stop, process)
        assert processes[0].stdout is not None
        yield processes[0].stdout.readline().split()[-1]


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


async def latencies_ms(url: str, seconds: float) -> list[float]:
    """Capture to presented, of every picture whose code could be read [ms]."""
    async with open_chromium() as browser:
        page = await browser.open(url, width=1280, height=720)
        await read_patterns(page)
        video = "document.querySelector('video')"
        await wait_until(page, f"{video}?.videoWidth > 0 && picamPattern.read({video}) !== null", timeout_s=40)
        await asyncio.sleep(WARM_UP_S)
        frames = await page.evaluate(f"picamPattern.collect({video}, {seconds})")
    ages = [frame["presentedMs"] for frame in frames if frame["number"] is not None]
    print(f"  {len(ages)} pictures in {seconds:g} s, {len(frames) - len(ages)} more could not be read", flush=True)
    return ages


def measure(name: str, url: str, seconds: float) -> dict[str, float]:
    print(f"{name}: {url}", flush=True)
    ages = asyncio.run(latencies_ms(url, seconds))
    cuts = statistics.quantiles(ages, n=20)
    return {f"{name}_ms_p50": round(statistics.median(ages), 1), f"{name}_ms_p95": round(cuts[-1], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Latency from capture to Chromium's screen.")
    parser.add_argument("--json", action="store_true", help="kept for symmetry: the last line is always JSON")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each way is measured")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    figures: dict[str, float] = {}
    with domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        with ours("none") as url:
            figures |= measure("ours", url, options.seconds)
        with ours("tflite") as url:
            figures |= measure("ours_inference", url, options.seconds)
        with naive() as url:
            figures |= measure("naive", url, options.seconds)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

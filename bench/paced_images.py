"""What both ways to publish images have in common in bench.topics, whose two sides are processes of their own.

Nothing here imports picam_webrtc.ros: the textbook way is not to get our allocator.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from rclpy.qos import ReliabilityPolicy

from picam_webrtc.frame import Pixels

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
WARM_UP_FRAMES = 45
START_TIMEOUT_S = 30.0
TOPIC = "bench_image"
RELIABILITIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def picture() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def publish_paced(publish: Callable[[Pixels, int], None], pixels: Pixels, frames: int) -> None:
    """Publish warm-up and `frames` more, saying on stdout when these begin and what they cost; until stdin ends."""
    due_s = time.monotonic()
    for number in range(WARM_UP_FRAMES + frames):
        if number == WARM_UP_FRAMES:
            print("begin", flush=True)
            spent_s = time.process_time()
        publish(pixels, number)
        due_s += 1 / FRAME_RATE
        time.sleep(max(0.0, due_s - time.monotonic()))
    print(json.dumps({"cpu_s": time.process_time() - spent_s}), flush=True)
    sys.stdin.read()


class Reception:
    """What a subscriber saw of the measured frames; their number is in frame_id."""

    def __init__(self) -> None:
        self._latencies_ms: dict[int, float] = {}
        self._spent_s = 0.0

    def take(self, stamp_ns: int, frame_id: str) -> None:
        self._latencies_ms[int(frame_id)] = (time.time_ns() - stamp_ns) / 1e6

    def report_when_told(self) -> None:
        """Follow the parent's "begin" and "end" on stdin, then print the result."""
        print("ready", flush=True)
        for line in sys.stdin:
            if line.strip() == "begin":
                self._spent_s = time.process_time()
            else:
                break
        cpu_s = time.process_time() - self._spent_s
        measured = [latency for number, latency in self._latencies_ms.items() if number >= WARM_UP_FRAMES]
        print(json.dumps({"cpu_s": cpu_s, "latencies_ms": measured}), flush=True)


def run_side(publish: Callable[[str, int], None], subscribe: Callable[[str], None]) -> None:
    """One side of a topic, as bench.topics starts it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=("publish", "subscribe"))
    parser.add_argument("reliability", choices=tuple(RELIABILITIES))
    parser.add_argument("frames", type=int)
    options = parser.parse_args()
    if options.side == "publish":
        publish(options.reliability, options.frames)
    else:
        subscribe(options.reliability)

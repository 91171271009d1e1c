"""What an image topic costs: `python -m bench.topics [--json]`.

What topics take of a network, and what a distant subscriber costs the others: with `--bandwidth` and `--far`.

1280x720 bgr8 at 30 frames a second, publisher and subscriber in two processes, each way for ten seconds:

- `ours`: ImagePublisher to ImageSubscription, reliable; and once more to a best-effort subscriber, for its losses.
- `textbook`: `message.data = pixels.tobytes()` and default Fast DDS, reliable.
- `best_effort_default`: the same, best effort on both sides.

Each has `cpu_ms_per_frame`, of both processes together; `latency_ms_p50` and `latency_ms_p95`, from the stamp to
the array in the subscriber's hand; and `lost_percent`, for ours the larger of the two. `composed_ms_per_hop` is the
time from `publish` to the consumer's own thread within one process; `composed_cpu_ms_per_frame` and
`three_processes_cpu_ms_per_frame` are what the whole pipeline takes for a frame, from the test pattern to one viewer,
no network run on it. `rectify_cpu_ms_per_frame` is what `image_rect` takes on top, by encoding, while somebody
subscribes to it, and `rectify_tables_cpu_ms` what its tables take once for a calibration. The last line of output is
one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from domain_coordinator import domain_id
from rclpy.node import Node

from bench import bandwidth, far, pipelines
from bench.our_images import frame_of
from bench.paced_images import FRAME_RATE, HEIGHT, TOPIC, WIDTH, picture
from picam_webrtc.camera.calibration import Calibration
from picam_webrtc.camera.rectify import Rectifier
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.latest import Latest
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.process.shared_memory import PROFILE_VARIABLES
from picam_webrtc.ros.topics.image_io import ImagePublisher, ImageSubscription, LocalTopics

SETTLING_S = 0.5
END_TIMEOUT_S = 5.0
HOPS = 300
RECTIFIED = 60
WIDE_LENS = Calibration(
    width=WIDTH,
    height=HEIGHT,
    distortion_model="plumb_bob",
    d=(-0.3, 0.09, 0.001, -0.001, 0.0),
    k=(700.0, 0.0, WIDTH / 2, 0.0, 700.0, HEIGHT / 2, 0.0, 0.0, 1.0),
    r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    p=(650.0, 0.0, WIDTH / 2, 0.0, 0.0, 650.0, HEIGHT / 2, 0.0, 0.0, 0.0, 1.0, 0.0),
)
SIDES = {"ours": "bench.our_images", "textbook": "bench.naive_images"}


def composed_ms_per_hop() -> float:
    """Median over frames that go from `publish` through a topic of this process to another thread."""
    slot, local, times_ms = Latest[Frame](), LocalTopics(), list[float]()
    with Runtime([]) as runtime:
        node = runtime.node("composed", Node)
        publisher = ImagePublisher(node, TOPIC, local, lambda: None)
        subscription = ImageSubscription(node, TOPIC, local, slot.put)
        runtime.spin()

        def consume() -> None:
            while (frame := slot.take()) is not None:
                times_ms.append((time.time_ns() - frame.stamp_ns) / 1e6)

        consumer = threading.Thread(target=consume)
        consumer.start()
        pixels = picture()
        for number in range(HOPS):
            publisher.publish(frame_of(pixels, number))
            time.sleep(0.01)
        slot.close()
        consumer.join()
        runtime.stop_spinning()
        subscription.close()
        publisher.close()
    return float(np.median(times_ms))


@contextmanager
def running_side(way: str, side: str, reliability: str, frames: int) -> Iterator[subprocess.Popen[str]]:
    """One side of a topic; without the profile that this process may have set for itself.

    Killed where it does not end: the textbook way may hang then (see farewell_deadline).
    """
    with subprocess.Popen(
        [sys.executable, "-m", SIDES[way], side, reliability, str(frames)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES},
    ) as process:
        try:
            yield process
        finally:
            try:
                process.communicate(timeout=END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"process {process.pid} ended early"
    return line


def tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def measure(way: str, reliability: str, frames: int) -> dict[str, float]:
    """One publisher and one subscriber, each in a process of its own."""
    with running_side(way, "subscribe", reliability, frames) as subscriber:
        assert line_of(subscriber) == "ready"
        with running_side(way, "publish", reliability, frames) as publisher:
            assert line_of(publisher) == "begin"
            tell(subscriber, "begin")
            published = json.loads(line_of(publisher))
            time.sleep(SETTLING_S)  # what is still under way
            tell(subscriber, "end")
            received = json.loads(line_of(subscriber))
    return figures(published, received, frames)


def figures(published: Mapping[str, Any], received: Mapping[str, Any], frames: int) -> dict[str, float]:
    latencies = np.array(received["latencies_ms"] or [np.nan])
    return {
        "cpu_ms_per_frame": round((published["cpu_s"] + received["cpu_s"]) / frames * 1000, 3),
        "latency_ms_p50": round(float(np.percentile(latencies, 50)), 3),
        "latency_ms_p95": round(float(np.percentile(latencies, 95)), 3),
        "lost_percent": round(100 * (1 - len(received["latencies_ms"]) / frames), 2),
    }


def rectify_ms() -> dict[str, Any]:
    """Processor time, median over frames, on one core, by the calibration of a wide lens."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return {
            "rectify_cpu_ms_per_frame": {
                "bgr8": round(_rectify_ms(picture(), "bgr8"), 3),
                "nv12": round(_rectify_ms(picture().reshape(HEIGHT * 3, WIDTH)[: HEIGHT * 3 // 2], "nv12"), 3),
            },
            "rectify_tables_cpu_ms": round(_timed_ms(lambda: Rectifier()(frame_of(picture(), 0), WIDE_LENS)), 2),
        }
    finally:
        cv2.setNumThreads(threads)


def _rectify_ms(pixels: Pixels, encoding: str) -> float:
    rectify, frame = Rectifier(), Frame(pixels, encoding, 0, "bench")
    rectify(frame, WIDE_LENS)  # makes the tables
    return float(np.median([_timed_ms(lambda: rectify(frame, WIDE_LENS)) for _ in range(RECTIFIED)]))


def _timed_ms(work: Callable[[], object]) -> float:
    begin_s = time.thread_time()
    work()
    return (time.thread_time() - begin_s) * 1000


def run(frames: int) -> dict[str, Any]:
    ours = measure("ours", "reliable", frames)
    ours_best_effort = measure("ours", "best_effort", frames)
    ours["lost_percent"] = max(ours["lost_percent"], ours_best_effort["lost_percent"])
    return {
        "ours": ours,
        "textbook": measure("textbook", "reliable", frames),
        "best_effort_default": measure("textbook", "best_effort", frames),
        "composed_ms_per_hop": round(composed_ms_per_hop(), 4),
        **pipelines.cpu_ms_per_frame(frames / FRAME_RATE),
        **rectify_ms(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What an image topic costs.")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--frames", type=int, default=10 * FRAME_RATE, help="frames measured each way")
    parser.add_argument(
        "--bandwidth", action="store_true", help="what each topic takes of a network instead (see bench.bandwidth)"
    )
    parser.add_argument(
        "--far", action="store_true", help="what a distant subscriber costs those on the robot instead (see bench.far)"
    )
    arguments = parser.parse_args()
    if arguments.bandwidth:
        print(json.dumps(bandwidth.run(arguments.frames / FRAME_RATE)))
    elif arguments.far:
        result = far.run(arguments.frames / FRAME_RATE)
        print(json.dumps(result))
        sys.exit("\n".join(far.off_the_rate(result)) or None)
    else:
        report(arguments.frames, quiet=arguments.json)


def report(frames: int, quiet: bool) -> None:
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        result = run(frames)
    if not quiet:
        for way in ("ours", "textbook", "best_effort_default"):
            print(way, *(f"{name} {value}" for name, value in result[way].items()), sep="  ")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

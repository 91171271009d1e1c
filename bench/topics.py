"""What an image topic costs: `python -m bench.topics [--json]`; what topics take of a network: with `--bandwidth`.

1280x720 bgr8 at 30 frames a second, publisher and subscriber in two processes, each way for ten seconds:

- `ours`: ImagePublisher to ImageSubscription, reliable; and once more to a best-effort subscriber, for its losses.
- `textbook`: `message.data = pixels.tobytes()` and default Fast DDS, reliable.
- `best_effort_default`: the same, best effort on both sides.

Each has `cpu_ms_per_frame`, of both processes together; `latency_ms_p50` and `latency_ms_p95`, from the stamp to
the array in the subscriber's hand; and `lost_percent`, for ours the larger of the two. `composed_ms_per_hop` is the
time from `publish` to the consumer's own thread within one process; `composed_cpu_ms_per_frame` and
`three_processes_cpu_ms_per_frame` are what the whole pipeline takes for a frame, from the test pattern to one viewer,
no network run on it. The last line of output is one JSON object.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import rclpy
from domain_coordinator import domain_id
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image

from bench import bandwidth, pipelines
from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.latest import Latest
from picam_webrtc.ros.image_io import ImagePublisher, ImageSubscription, LocalTopics
from picam_webrtc.ros.messages import frame_from_message, header, stamp_of
from picam_webrtc.ros.runtime import Runtime
from picam_webrtc.ros.shared_memory import PROFILE_VARIABLES

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
WARM_UP_FRAMES = 45
SETTLING_S = 0.5
HOPS = 300
START_TIMEOUT_S = 30.0
TOPIC = "bench_image"
RELIABILITIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def picture() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def publish_paced(publish: Callable[[Pixels, int], None], pixels: Pixels, frames: int) -> None:
    """Publish warm-up and `frames` more, saying on stdout when these begin and what they cost."""
    due_s = time.monotonic()
    for number in range(WARM_UP_FRAMES + frames):
        if number == WARM_UP_FRAMES:
            print("begin", flush=True)
            spent_s = time.process_time()
        publish(pixels, number)
        due_s += 1 / FRAME_RATE
        time.sleep(max(0.0, due_s - time.monotonic()))
    print(json.dumps({"cpu_s": time.process_time() - spent_s}), flush=True)


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


def frame_of(pixels: Pixels, number: int) -> Frame:
    return Frame(pixels, "bgr8", time.time_ns(), str(number))


def publish_ours(_reliability: str, frames: int) -> None:
    matched = threading.Event()
    with Runtime([]) as runtime:
        publisher = ImagePublisher(runtime.node("publisher"), TOPIC, LocalTopics(), lambda _: matched.set())
        runtime.spin()
        assert matched.wait(START_TIMEOUT_S)
        pixels = BufferPool((HEIGHT, WIDTH, 3), lambda pixels: np.copyto(pixels, picture())).take()  # as sources do
        publish_paced(lambda shown, number: publisher.publish(frame_of(shown, number)), pixels, frames)
        sys.stdin.read()
        runtime.stop_spinning()
        publisher.close()


def subscribe_ours(reliability: str) -> None:
    reception = Reception()

    def take(frame: Frame) -> None:
        reception.take(frame.stamp_ns, frame.frame_id)

    with Runtime([]) as runtime:
        node = runtime.node("subscriber")
        if reliability == "reliable":
            ImageSubscription(node, TOPIC, LocalTopics(), take)
        else:
            qos = qos_profile_sensor_data  # as other robot nodes subscribe
            node.create_subscription(Image, TOPIC, lambda message: take(frame_from_message(message)), qos)
        runtime.spin()
        reception.report_when_told()


def publish_textbook(reliability: str, frames: int) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("publisher")
    publisher = node.create_publisher(Image, TOPIC, QoSProfile(depth=10, reliability=RELIABILITIES[reliability]))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not publisher.get_subscription_count():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def publish(pixels: Pixels, number: int) -> None:
        message = Image(header=header(time.time_ns(), str(number)), encoding="bgr8", step=WIDTH * 3)
        message.height, message.width = HEIGHT, WIDTH
        message.data = pixels.tobytes()
        publisher.publish(message)

    publish_paced(publish, picture(), frames)
    sys.stdin.read()
    node.destroy_node()
    rclpy.shutdown()


def subscribe_textbook(reliability: str) -> None:
    reception = Reception()

    def take(message: Image) -> None:
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        reception.take(stamp_of(message.header.stamp), message.header.frame_id)

    def report() -> None:
        reception.report_when_told()
        rclpy.shutdown()

    rclpy.init(args=[])
    node = rclpy.create_node("subscriber")
    node.create_subscription(Image, TOPIC, take, QoSProfile(depth=10, reliability=RELIABILITIES[reliability]))
    threading.Thread(target=report).start()
    with contextlib.suppress(ExternalShutdownException):
        rclpy.spin(node)


def composed_ms_per_hop() -> float:
    """Median over frames that go from `publish` through a topic of this process to another thread."""
    slot, local, times_ms = Latest[Frame](), LocalTopics(), list[float]()
    with Runtime([]) as runtime:
        node = runtime.node("composed")
        publisher = ImagePublisher(node, TOPIC, local, lambda _: None)
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


def start(role: str, way: str, reliability: str, frames: int) -> subprocess.Popen[str]:
    """A process of this module; without the profile that this process may have set for itself."""
    environment = {name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES}
    command = [sys.executable, "-m", "bench.topics", "--role", role, "--way", way]
    return subprocess.Popen(
        [*command, "--reliability", reliability, "--frames", str(frames)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


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
    subscriber = start("subscribe", way, reliability, frames)
    with subscriber:
        assert line_of(subscriber) == "ready"
        publisher = start("publish", way, reliability, frames)
        with publisher:
            assert line_of(publisher) == "begin"
            tell(subscriber, "begin")
            published = json.loads(line_of(publisher))
            time.sleep(SETTLING_S)  # what is still under way
            tell(subscriber, "end")
            received = json.loads(line_of(subscriber))
            publisher.communicate()
    return figures(published, received, frames)


def figures(published: Mapping[str, Any], received: Mapping[str, Any], frames: int) -> dict[str, float]:
    latencies = np.array(received["latencies_ms"] or [np.nan])
    return {
        "cpu_ms_per_frame": round((published["cpu_s"] + received["cpu_s"]) / frames * 1000, 3),
        "latency_ms_p50": round(float(np.percentile(latencies, 50)), 3),
        "latency_ms_p95": round(float(np.percentile(latencies, 95)), 3),
        "lost_percent": round(100 * (1 - len(received["latencies_ms"]) / frames), 2),
    }


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
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What an image topic costs.")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--frames", type=int, default=10 * FRAME_RATE, help="frames measured each way")
    parser.add_argument(
        "--bandwidth", action="store_true", help="what each topic takes of a network instead (see bench.bandwidth)"
    )
    parser.add_argument("--role", choices=("publish", "subscribe"), help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=("ours", "textbook"), help=argparse.SUPPRESS)
    parser.add_argument("--reliability", choices=tuple(RELIABILITIES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "publish":
        publish = publish_ours if arguments.way == "ours" else publish_textbook
        publish(arguments.reliability, arguments.frames)
    elif arguments.role == "subscribe":
        subscribe = subscribe_ours if arguments.way == "ours" else subscribe_textbook
        subscribe(arguments.reliability)
    elif arguments.bandwidth:
        print(json.dumps(bandwidth.run(arguments.frames / FRAME_RATE)))
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

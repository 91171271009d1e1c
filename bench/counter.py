"""Subscribes to topics and counts, as a process of its own, for `bench.far` and `bench.bandwidth`.

    python -m bench.counter TOPIC:TYPE:RELIABILITY ...

Prints "ready", and then for each line on stdin a JSON object, of what has come since the line before: for each argument
`messages`, and from their stamps their `hz`, `latency_ms_p50` and `latency_ms_p95`; null where too few have come.
"""

# ruff: noqa: E402 - the allocator of an executable (entry.py) has to be ahead of rclpy
from picam_webrtc.ros.process.memory import keep_image_buffers

keep_image_buffers()

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from bench.paced_images import RELIABILITIES
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.messages import stamp_of

TYPES: dict[str, Any] = {"Image": Image, "CompressedImage": CompressedImage, "CameraInfo": CameraInfo}
DEPTH = 10
NS_PER_S = 1_000_000_000


class Count:
    """The messages of one topic. Written on the thread that spins the node."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, int]] = []

    def take(self, message: Any) -> None:
        self._seen.append((stamp_of(message.header.stamp), time.time_ns()))

    def figures(self) -> dict[str, float | None]:
        seen, self._seen = self._seen, []
        if len(seen) < 2:
            return {"messages": len(seen), "hz": None, "latency_ms_p50": None, "latency_ms_p95": None}
        p50, p95 = np.percentile([(arrived_ns - stamp_ns) / 1e6 for stamp_ns, arrived_ns in seen], (50, 95))
        return {
            "messages": len(seen),
            "hz": round((len(seen) - 1) * NS_PER_S / (seen[-1][0] - seen[0][0]), 3),
            "latency_ms_p50": round(float(p50), 2),
            "latency_ms_p95": round(float(p95), 2),
        }


def main(wanted: Sequence[str]) -> None:
    counts = {one: Count() for one in wanted}
    with Runtime([]) as runtime:
        node = runtime.node("counter", Node)
        for one, count in counts.items():
            topic, kind, reliability = one.split(":")
            qos = QoSProfile(depth=DEPTH, reliability=RELIABILITIES[reliability])
            node.create_subscription(TYPES[kind], topic, count.take, qos)
        runtime.spin()
        print("ready", flush=True)
        for _line in sys.stdin:
            print(json.dumps({one: count.figures() for one, count in counts.items()}), flush=True)
        runtime.stop_spinning()


if __name__ == "__main__":
    main(sys.argv[1:])

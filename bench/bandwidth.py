"""What each topic takes of the network between two hosts: `python -m bench.bandwidth --json` (for root).

A robot in a network namespace publishes the 720p30 test pattern; a subscriber in another one takes one topic after the
other over a good cable, whose counters are read: everything is in the numbers, headers and discovery. The last line
is a JSON object, topic -> `megabits_per_s` and `messages_per_s`.
"""

import argparse
import json
import time
from typing import Any

from bench.far import Counter, counter
from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.two_hosts import TwoHosts, two_hosts

ROBOT: dict[str, ParameterValue] = {
    "source": "test_pattern",
    "transform": "none",
    "port": 0,
    "encoded_topics": "compressed_image",
}
TOPICS = {
    "image_raw": "image_raw:Image:reliable",
    "image_raw/compressed": "image_raw/compressed:CompressedImage:reliable",
    "image_raw/h264": "image_raw/h264:CompressedImage:reliable",
    "camera_info": "camera_info:CameraInfo:reliable",
}
SETTLING_S = 2.0
POLL_S, START_TIMEOUT_S = 0.1, 30.0


def measure(hosts: TwoHosts, wanted: str, seconds: float) -> dict[str, float]:
    with counter(hosts.ground, hosts.environment, wanted) as subscriber:
        _wait_for_first(subscriber, wanted)
        time.sleep(SETTLING_S)
        subscriber.figures()
        started, received = time.monotonic(), hosts.received_bytes()
        time.sleep(seconds)
        figures, received = subscriber.figures()[wanted], hosts.received_bytes() - received
        elapsed = time.monotonic() - started
    return {
        "megabits_per_s": round(8e-6 * received / elapsed, 2),
        "messages_per_s": round((figures["messages"] or 0) / elapsed, 1),
    }


def _wait_for_first(subscriber: Counter, wanted: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not subscriber.figures()[wanted]["messages"]:
        assert time.monotonic() < deadline, f"nothing comes from {wanted}"
        time.sleep(POLL_S)


def run(seconds: float) -> dict[str, Any]:
    with (
        two_hosts() as hosts,
        node_process("picam_webrtc", ROBOT, environment=hosts.environment, prefix=hosts.robot) as robot,
    ):
        robot.wait_for_line("The page is at")
        return {topic: measure(hosts, wanted, seconds) for topic, wanted in TOPICS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the result as one line")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each topic is measured")
    arguments = parser.parse_args()
    result = run(arguments.seconds)
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

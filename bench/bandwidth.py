"""What each topic takes of the network between two hosts: `python -m bench.bandwidth --json` (for root).

A robot in a network namespace publishes the 720p30 test pattern; a subscriber in another one takes one topic after the
other over a good cable, whose counters are read: everything is in the numbers, headers and discovery. The last line
is a JSON object, topic -> `megabits_per_s` and `messages_per_s`.
"""

import argparse
import json
import os
import subprocess
import time
from typing import Any

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import ROOT, node_process
from picam_webrtc_test.ros.two_hosts import TwoHosts, python, two_hosts

ROBOT: dict[str, ParameterValue] = {
    "source": "test_pattern",
    "transform": "none",
    "port": 0,
    "encoded_topics": "compressed_image",
}
TOPICS = {
    "image_raw": "Image",
    "image_raw/compressed": "CompressedImage",
    "image_raw/h264": "CompressedImage",
    "camera_info": "CameraInfo",
}
SETTLING_S = 2.0


def measure(hosts: TwoHosts, topic: str, kind: str, seconds: float) -> dict[str, float]:
    command = [*hosts.ground, *python("bench.far_subscriber", topic, kind)]
    environment = {**os.environ, **hosts.environment}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as subscriber:

        def ask() -> int:
            assert subscriber.stdin is not None
            assert subscriber.stdout is not None
            subscriber.stdin.write("\n")
            subscriber.stdin.flush()
            return int(subscriber.stdout.readline())

        assert subscriber.stdout is not None
        assert subscriber.stdout.readline() == "first\n"
        time.sleep(SETTLING_S)
        started, messages, received = time.monotonic(), ask(), hosts.received_bytes()
        time.sleep(seconds)
        messages, received = ask() - messages, hosts.received_bytes() - received
        elapsed = time.monotonic() - started
        subscriber.communicate()
    return {
        "megabits_per_s": round(8e-6 * received / elapsed, 2),
        "messages_per_s": round(messages / elapsed, 1),
    }


def run(seconds: float) -> dict[str, Any]:
    with (
        two_hosts() as hosts,
        node_process("picam_webrtc", ROBOT, environment=hosts.environment, prefix=hosts.robot) as robot,
    ):
        robot.wait_for_line("The page is at")
        return {topic: measure(hosts, topic, kind, seconds) for topic, kind in TOPICS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the result as one line")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each topic is measured")
    arguments = parser.parse_args()
    result = run(arguments.seconds)
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

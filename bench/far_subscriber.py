"""The ground's side of `bench.bandwidth`, a process of its own: subscribes to one topic and counts.

    python -m bench.far_subscriber TOPIC TYPE

Prints a line with the first message; then answers each line on stdin with the number of messages so far.
"""

import sys
import threading
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from picam_webrtc.ros.process.runtime import Runtime

TYPES: dict[str, Any] = {"Image": Image, "CompressedImage": CompressedImage, "CameraInfo": CameraInfo}


def main() -> None:
    topic, kind = sys.argv[1:]
    first, count = threading.Event(), [0]

    def take(_message: object) -> None:
        count[0] += 1
        first.set()

    with Runtime([]) as runtime:
        runtime.node("far_subscriber", Node).create_subscription(TYPES[kind], topic, take, QoSProfile(depth=10))
        runtime.spin()
        first.wait()
        print("first", flush=True)
        for _line in sys.stdin:
            print(count[0], flush=True)
        runtime.stop_spinning()


if __name__ == "__main__":
    main()

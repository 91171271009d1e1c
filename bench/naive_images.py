"""Images as in the textbook, one side of them, with default Fast DDS: for comparison by bench.topics."""

import contextlib
import threading
import time

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import Image

from bench.paced_images import (
    HEIGHT,
    RELIABILITIES,
    START_TIMEOUT_S,
    TOPIC,
    WIDTH,
    Reception,
    picture,
    publish_paced,
    run_side,
)
from picam_webrtc.frame import Pixels


def publish(reliability: str, frames: int) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("publisher")
    publisher = node.create_publisher(Image, TOPIC, QoSProfile(depth=10, reliability=RELIABILITIES[reliability]))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not publisher.get_subscription_count():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def publish_one(pixels: Pixels, number: int) -> None:
        message = Image(height=HEIGHT, width=WIDTH, encoding="bgr8", step=WIDTH * 3)
        message.header.stamp, message.header.frame_id = Time(nanoseconds=time.time_ns()).to_msg(), str(number)
        message.data = pixels.tobytes()
        publisher.publish(message)

    publish_paced(publish_one, picture(), frames)
    node.destroy_node()
    rclpy.shutdown()


def subscribe(reliability: str) -> None:
    reception = Reception()

    def take(message: Image) -> None:
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        reception.take(Time.from_msg(message.header.stamp).nanoseconds, message.header.frame_id)

    def report() -> None:
        reception.report_when_told()
        rclpy.shutdown()

    rclpy.init(args=[])
    node = rclpy.create_node("subscriber")
    node.create_subscription(Image, TOPIC, take, QoSProfile(depth=10, reliability=RELIABILITIES[reliability]))
    threading.Thread(target=report).start()
    with contextlib.suppress(ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    run_side(publish, subscribe)

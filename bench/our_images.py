"""Images by ImagePublisher and ImageSubscription, one side of them: for bench.topics."""

# ruff: noqa: E402 - the allocator of an executable (entry.py) has to be ahead of rclpy
from picam_webrtc.ros.process.memory import keep_image_buffers

keep_image_buffers()

import threading
import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from bench.paced_images import HEIGHT, START_TIMEOUT_S, TOPIC, WIDTH, Reception, picture, publish_paced, run_side
from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.image_io import ImagePublisher, ImageSubscription, LocalTopics
from picam_webrtc.ros.topics.messages import frame_from_message


def frame_of(pixels: Pixels, number: int) -> Frame:
    return Frame(pixels, "bgr8", time.time_ns(), str(number))


def publish(_reliability: str, frames: int) -> None:
    matched = threading.Event()
    with Runtime([]) as runtime:
        publisher = ImagePublisher(runtime.node("publisher", Node), TOPIC, LocalTopics(), matched.set)
        runtime.spin()
        assert matched.wait(START_TIMEOUT_S)
        pixels = BufferPool((HEIGHT, WIDTH, 3), lambda pixels: np.copyto(pixels, picture())).take()  # as sources do
        publish_paced(lambda shown, number: publisher.publish(frame_of(shown, number)), pixels, frames)
        runtime.stop_spinning()
        publisher.close()


def subscribe(reliability: str) -> None:
    reception = Reception()

    def take(frame: Frame) -> None:
        reception.take(frame.stamp_ns, frame.frame_id)

    with Runtime([]) as runtime:
        node = runtime.node("subscriber", Node)
        if reliability == "reliable":
            ImageSubscription(node, TOPIC, LocalTopics(), take)
        else:
            qos = qos_profile_sensor_data  # as other robot nodes subscribe
            node.create_subscription(Image, TOPIC, lambda message: take(frame_from_message(message)), qos)
        runtime.spin()
        reception.report_when_told()


if __name__ == "__main__":
    run_side(publish, subscribe)

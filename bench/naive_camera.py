"""The textbook camera node, for comparison: a timer, `tobytes`, default quality of service and default Fast DDS."""

from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image

from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.settings import CameraSettings

FRAME_RATE = 30.0


class NaiveCamera(Node):
    def __init__(self) -> None:
        super().__init__("naive_camera")
        self._source = TestPatternSource(CameraSettings(source="test_pattern", frame_rate=FRAME_RATE))
        self._source.open()
        self._publisher = self.create_publisher(Image, "naive_image", 10)
        self.create_timer(1 / FRAME_RATE, self._publish)

    def _publish(self) -> None:
        frame_set = self._source.read(1 / FRAME_RATE)
        if frame_set is None:
            return
        frame = frame_set.frame
        message = Image(height=720, width=1280, encoding="bgr8", step=3840)
        message.header.stamp, message.header.frame_id = Time(nanoseconds=frame.stamp_ns).to_msg(), "camera"
        message.data = frame.pixels.tobytes()
        self._publisher.publish(message)


def main() -> None:
    rclpy.init()
    with suppress(ExternalShutdownException):
        rclpy.spin(NaiveCamera())


if __name__ == "__main__":
    main()

"""What a network on the image sensor made of each picture, as JSON on a topic (std_msgs/String)."""

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import String

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import MalformedSensorOutputs
from picam_webrtc.frame import Frame
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc.ros.topics.qos import OVERRIDABLE, reliable_qos
from picam_webrtc.sensor_outputs import SensorOutputs
from picam_webrtc.sensor_outputs_json import PictureOutputs, sensor_outputs_from_json, sensor_outputs_json

TOPIC = "sensor_outputs"


class SensorOutputsPublisher(GatedPublisher[String]):
    """Calls `on_change()` on the thread that spins the node whenever `demanded` may have changed."""

    def __init__(self, node: Node, on_change: Callable[[], None]) -> None:
        super().__init__(node, String, TOPIC, on_change)

    def publish_outputs(self, outputs: SensorOutputs, frame: Frame) -> None:
        """From any thread; `frame` is the picture of the same exposure, as it is published."""
        self.publish(lambda: String(data=sensor_outputs_json(outputs, frame)))


class SensorOutputsSubscription:
    """Made and closed on the thread that spins the node, where `on_outputs` is called, too."""

    def __init__(self, node: Node, on_outputs: Callable[[PictureOutputs], None]) -> None:
        self._node = node
        self._on_outputs = on_outputs
        self._complain = Complaint(lambda text: node.get_logger().error(f"{TOPIC}: {text}"))
        self._subscription = node.create_subscription(
            String, TOPIC, self._on_message, reliable_qos(), qos_overriding_options=OVERRIDABLE
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _on_message(self, message: String) -> None:
        try:
            outputs = sensor_outputs_from_json(message.data)
        except MalformedSensorOutputs as error:
            self._complain(error)
            return
        self._on_outputs(outputs)

"""camera_node: a frame source as `image_raw` and `camera_info`, open only while somebody subscribes."""

from contextlib import AsyncExitStack

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.source import FrameSource, make_source
from picam_webrtc.frame import Frame
from picam_webrtc.ros.image_io import ImagePublisher, LocalTopics
from picam_webrtc.ros.messages import camera_info_message
from picam_webrtc.ros.on_demand import OnDemand
from picam_webrtc.ros.parameters import NodeParameters
from picam_webrtc.ros.qos import OVERRIDABLE, image_publisher_qos
from picam_webrtc.ros.runtime import Runtime, forward_logs, run
from picam_webrtc.settings import CameraSettings


class CameraNode:
    def __init__(
        self, node: Node, parameters: NodeParameters[CameraSettings], source: FrameSource, local: LocalTopics
    ) -> None:
        self._node = node
        self._capture = Capture(source, self._publish)
        self._demand = OnDemand(node, self._capture.start, self._capture.stop, lambda: parameters.settings.idle_timeout)
        self._images = ImagePublisher(node, "image_raw", local, lambda _: self._update_demand())
        self._infos = node.create_publisher(
            CameraInfo,
            "camera_info",
            image_publisher_qos(),
            event_callbacks=PublisherEventCallbacks(matched=self._on_info_matched),
            qos_overriding_options=OVERRIDABLE,
        )
        self._info_subscribers = 0

    def _on_info_matched(self, event: "object") -> None:
        self._info_subscribers = event.current_count  # type: ignore[attr-defined]
        self._update_demand()

    def _update_demand(self) -> None:
        self._demand.want(self._images.demanded or self._info_subscribers > 0)

    def _publish(self, frame: Frame) -> None:
        self._images.publish(frame)
        if self._info_subscribers:
            self._infos.publish(camera_info_message(frame))

    def close(self) -> None:
        self._demand.close()
        self._images.close()
        self._node.destroy_publisher(self._infos)


async def wire(stack: AsyncExitStack, runtime: Runtime, local: LocalTopics) -> None:
    node = runtime.node("camera_node")
    forward_logs(stack, node, "camera")
    parameters = NodeParameters(node, CameraSettings)
    source = make_source(parameters.settings)
    stack.callback(CameraNode(node, parameters, source, local).close)
    node.get_logger().info(f"Ready: publishes image_raw from {source} while somebody subscribes")


def main() -> int:
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics()))


if __name__ == "__main__":
    raise SystemExit(main())

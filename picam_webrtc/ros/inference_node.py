"""inference_node: `image_raw` through a TFLite model to `image_processed`, only while somebody subscribes to that."""

from contextlib import AsyncExitStack
from dataclasses import replace

from rclpy.node import Node

from picam_webrtc.inference.engine import Engine, InferenceResult
from picam_webrtc.ros.detections import DetectionsPublisher
from picam_webrtc.ros.image_io import ImagePublisher, ImageSubscription, LocalTopics
from picam_webrtc.ros.on_demand import OnDemand
from picam_webrtc.ros.parameters import NodeParameters
from picam_webrtc.ros.runtime import Runtime, forward_logs, run
from picam_webrtc.settings import InferenceSettings


class InferenceNode:
    def __init__(self, node: Node, parameters: NodeParameters[InferenceSettings], local: LocalTopics) -> None:
        self._node = node
        self._local = local
        self.engine = Engine(parameters.settings, self._publish)
        parameters.check, parameters.apply = self.engine.check, self.engine.apply
        self._subscription: ImageSubscription | None = None
        self._demand = OnDemand(node, self._start, self._stop)
        self._images = ImagePublisher(node, "image_processed", local, lambda _: self._update_demand())
        self._detections = DetectionsPublisher(node, lambda _: self._update_demand())

    def _start(self) -> None:
        self.engine.start()
        self._subscription = ImageSubscription(self._node, "image_raw", self._local, self.engine.put)

    def _update_demand(self) -> None:
        self._demand.want(self._images.demanded or self._detections.demanded)

    def _publish(self, result: InferenceResult) -> None:
        # First what is small, so that it is there when the picture comes.
        if result.detections is not None:
            drawn = self.engine.settings.overlay
            self._detections.publish(replace(result.detections, inference_ns=result.inference_ns, drawn=drawn))
        self._images.publish(result.frame)

    def _stop(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        self.engine.stop()

    def close(self) -> None:
        self._demand.close()
        self._images.close()
        self._detections.close()


async def wire(stack: AsyncExitStack, runtime: Runtime, local: LocalTopics) -> None:
    node = runtime.node("inference_node")
    forward_logs(stack, node, "inference")
    parameters = NodeParameters(node, InferenceSettings)
    inference = InferenceNode(node, parameters, local)
    stack.callback(inference.close)
    inference.engine.load()  # at once: a model that does not load must not be found out at the first viewer
    transform = parameters.settings.transform
    node.get_logger().info(f"Ready: image_raw to image_processed while somebody subscribes, transform {transform}")


def main() -> int:
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics()))


if __name__ == "__main__":
    raise SystemExit(main())

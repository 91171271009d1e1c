"""inference_node: `image_raw` through a TFLite model, or with what the sensor found, to topics, only while somebody
subscribes to one of them.
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from rclpy.node import Node

from picam_webrtc.errors import SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.engine import Engine, InferenceResult
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.overlay import draw
from picam_webrtc.inference.pairing import FramePairs
from picam_webrtc.ros.node.diagnostics import Input, Report, diagnostics, inference_report
from picam_webrtc.ros.node.lifecycle import Effects, ManageableNode, bring_up
from picam_webrtc.ros.node.on_demand import OnDemand
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.ros.process.command_line import node_arguments
from picam_webrtc.ros.process.logs import forward_logs
from picam_webrtc.ros.process.names import fault_of_topic
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.topics.detections import DetectionsPublisher
from picam_webrtc.ros.topics.image_io import ImagePublisher, ImageSubscription, LocalTopics, OnFrame
from picam_webrtc.ros.topics.sensor_outputs import TOPIC as SENSOR_OUTPUTS
from picam_webrtc.ros.topics.sensor_outputs import SensorOutputsSubscription
from picam_webrtc.ros.topics.vision import VisionPublisher, make_vision_publisher
from picam_webrtc.sensor_outputs import SensedFrame
from picam_webrtc.sensor_outputs_json import PictureOutputs
from picam_webrtc.settings import InferenceSettings

NO_SENSOR_OUTPUTS = "Nothing is detected: no sensor_outputs come with the pictures; set camera_node's parameter network"
UNFOUND_FRAMES = 30
"""Pictures without outputs before that is said: within a process they come before the topic of the outputs is found."""
EFFECTS = Effects(
    activated="frames are taken and given while somebody subscribes",
    deactivated="no frame is taken or given",
    cleaned_up="its topics are gone, and the model is let go of",
)


class InferenceNode:
    def __init__(self, node: Node, parameters: NodeParameters[InferenceSettings], local: LocalTopics) -> None:
        self._node = node
        self._local = local
        self._settings = parameters.settings
        self.engine = Engine(parameters.settings, self._publish)
        parameters.check, parameters.apply = self.engine.check, self._apply
        self._subscriptions: tuple[ImageSubscription | SensorOutputsSubscription, ...] = ()
        self._pairs: FramePairs[Any] | None = None
        self._labels = Labels()
        self._demand = OnDemand(node, self._start, self._stop)
        detects = parameters.settings.transform != "none"
        # First what tells webrtc_node that there is a model.
        self._detections = DetectionsPublisher(node, self._update_demand) if detects else None
        self._vision = make_vision_publisher(node, self._update_demand) if detects else None
        self._images = ImagePublisher(node, "image_processed", local, self._update_demand)
        self._overlays = ImagePublisher(node, "image_overlay", local, self._update_demand)

    def load(self) -> None:
        """Load the model. Raises SettingError, ModelError."""
        self.engine.load()
        self._publish_labels()

    def _start(self) -> None:
        self.engine.start()
        self._publish_labels()  # a model may have been fetched meanwhile
        lores_topic = self._settings.lores_topic
        if self._settings.transform == "sensor":
            self._subscriptions = self._subscribe_to_sensor()
            return
        if not lores_topic:
            self._subscriptions = (self._subscribe("image_raw", self.engine.put),)
            return
        self._pairs = pairs = FramePairs(self.engine.put)
        self._subscriptions = (
            self._subscribe(lores_topic, pairs.put_small),
            self._subscribe("image_raw", pairs.put_picture),
        )

    def _subscribe_to_sensor(self) -> tuple[SensorOutputsSubscription, ImageSubscription]:
        """A picture whose outputs do not come passes as it is, a few frames late."""
        self._pairs = pairs = FramePairs(self._put_sensed, self.engine.put, NO_SENSOR_OUTPUTS, UNFOUND_FRAMES)
        return SensorOutputsSubscription(self._node, pairs.put_small), self._subscribe("image_raw", pairs.put_picture)

    def _put_sensed(self, sensed: PictureOutputs, picture: Frame) -> None:
        self.engine.put(SensedFrame.of(picture, sensed.view, sensed.outputs))

    def _subscribe(self, topic: str, on_frame: OnFrame) -> ImageSubscription:
        return ImageSubscription(self._node, topic, self._local, on_frame)

    def _apply(self, settings: InferenceSettings) -> None:
        self.engine.apply(settings)
        self._publish_labels()

    def _publish_labels(self) -> None:
        self._labels = self.engine.labels
        if self._vision is not None:
            self._vision.publish_labels(self._labels, self.engine.settings.threshold)

    def _update_demand(self) -> None:
        self._demand.want(any(topic.demanded for topic in self._topics))

    @property
    def _topics(self) -> tuple[ImagePublisher | DetectionsPublisher | VisionPublisher, ...]:
        topics = (self._images, self._overlays, self._detections, self._vision)
        return tuple(topic for topic in topics if topic is not None)

    def allow(self, allowed: bool) -> None:
        """Take and give frames, or rest, whoever subscribes."""
        self._demand.allow(allowed)

    def _publish(self, result: InferenceResult) -> None:
        settings = self.engine.settings
        if self.engine.labels != self._labels:  # those of a network on the sensor come with its outputs
            self._publish_labels()
        # First what is small, so that it is on its way when the picture comes.
        if result.detections is not None and self._detections is not None:
            found = replace(result.detections, inference_ns=result.inference_ns, drawn=result.drawn)
            self._detections.publish_detections(found)
            if self._vision is not None:
                self._vision.publish(found, settings.class_ids)
        self._images.publish(result.frame)
        if self._overlays.demanded:
            findings = None if result.drawn else result.findings
            self._overlays.publish(result.frame if findings is None else draw(result.frame, findings))

    def report(self) -> Report:
        """How the model does; from any thread."""
        dropped = {topic.topic: topic.dropped for topic in self._topics}
        return inference_report(self.engine.settings, self.engine.snapshot(), self._input(), dropped)

    def _input(self) -> Input:
        beside = SENSOR_OUTPUTS if self._settings.transform == "sensor" else self._settings.lores_topic
        names = (beside, "image_raw") if beside else ("image_raw",)
        topics = tuple(self._node.resolve_topic_name(name) for name in names)
        unpublished = tuple(topic for topic in topics if not self._node.count_publishers(topic))
        return Input(topics, unpublished, self._pairs.unpaired if self._pairs is not None else 0)

    def _stop(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions = ()
        self.engine.stop()

    def close(self) -> None:
        self._demand.close()
        for topic in self._topics:
            topic.finish()
        for topic in self._topics:
            topic.close()


async def infer(
    stack: AsyncExitStack, node: Node, parameters: NodeParameters[InferenceSettings], local: LocalTopics
) -> InferenceNode:
    """Everything that inference_node does, until the stack unwinds. Raises SettingError or ModelError."""
    inference = InferenceNode(node, parameters, local)
    stack.callback(inference.close)
    stack.callback(parameters.detach)
    transform = parameters.settings.transform
    device = "sensor" if transform == "sensor" else parameters.settings.delegate or "CPU"
    await stack.enter_async_context(diagnostics(node, "inference", device, inference.report))
    inference.load()  # at once: a model that does not load must not be found out at the first viewer
    node.get_logger().info(f"Ready: image_raw to image_processed while somebody subscribes, transform {transform}")
    return inference


async def wire(stack: AsyncExitStack, runtime: Runtime, local: LocalTopics) -> None:
    node = runtime.node("inference_node", ManageableNode)
    forward_logs(stack, node, "inference")
    parameters = NodeParameters(node, InferenceSettings, runtime.overrides)
    lores_topic = parameters.settings.lores_topic
    if lores_topic and (fault := fault_of_topic(lores_topic)):
        raise SettingError("lores_topic", lores_topic, fault)
    await bring_up(
        stack, node, parameters.settings.managed, lambda inner: infer(inner, node, parameters, local), EFFECTS
    )


def main() -> int:
    node_arguments("inference_node", __doc__, InferenceSettings)
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics()))

"""camera_node: a frame source as `image_raw` and its siblings, open only while somebody subscribes."""

import time
from contextlib import AsyncExitStack

from rclpy.node import Node

from picam_webrtc.camera.automatic import AutomaticSource
from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.control_set import ControlSet
from picam_webrtc.camera.figures import FrameFigures
from picam_webrtc.camera.picamera2_library import CameraLibrary
from picam_webrtc.camera.source import ControlledSource, FrameSource, make_source
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.ros.camera.calibration_store import CalibrationStore
from picam_webrtc.ros.camera.camera_stream import CameraStream
from picam_webrtc.ros.camera.control_parameters import ControlParameters
from picam_webrtc.ros.node.diagnostics import Report, camera_report, diagnostics
from picam_webrtc.ros.node.lifecycle import Effects, ManageableNode, bring_up
from picam_webrtc.ros.node.on_demand import OnDemand
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.ros.process.command_line import node_arguments
from picam_webrtc.ros.process.logs import forward_logs
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.process.sim_time import StampClock
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc.ros.topics.sensor_outputs import SensorOutputsPublisher
from picam_webrtc.sensor_outputs import SensorOutputs
from picam_webrtc.settings import CameraSettings

EFFECTS = Effects(
    activated="the camera opens when somebody subscribes",
    deactivated="the camera is closed, whoever subscribes",
    cleaned_up="its topics are gone, and the camera is let go of",
)


class CameraNode:
    def __init__(
        self, node: Node, parameters: NodeParameters[CameraSettings], source: FrameSource, local: LocalTopics
    ) -> None:
        settings = parameters.settings
        self._source = source
        self._stamps = StampClock(node)
        self._figures = FrameFigures(lambda: source.frame_rate, lambda: parameters.settings.frequency_tolerance)
        self._calibrations = CalibrationStore(node, settings)
        self._capture = Capture(
            source,
            self._publish,
            on_lores=self._publish_lores,
            on_sensor_outputs=self._publish_sensor_outputs,
            watchdog_timeout_s=settings.watchdog_timeout,
        )
        self._demand = OnDemand(node, self._start, self._capture.stop, lambda: parameters.settings.idle_timeout)

        def stream(prefix: str) -> CameraStream:
            quality = lambda: parameters.settings.jpeg_quality  # noqa: E731 - it changes while running
            return CameraStream(node, prefix, local, self._calibrations, quality, self._update_demand)

        self._streams: tuple[CameraStream, ...] = ()
        self._sensor_outputs: SensorOutputsPublisher | None = None
        if settings.network:
            self._sensor_outputs = SensorOutputsPublisher(node, self._update_demand)
        self._streams = (stream(""), *([stream("lores/")] if settings.lores_width else []))

    def _start(self) -> None:
        self._figures.restart()
        self._capture.start()

    def allow(self, allowed: bool) -> None:
        """Capture while somebody subscribes, or keep the camera closed whoever does."""
        self._demand.allow(allowed)

    def _update_demand(self) -> None:
        topics = (*self._streams, self._sensor_outputs)
        self._demand.want(any(topic is not None and topic.demanded for topic in topics))

    def _publish(self, frame: Frame) -> None:
        self._figures.record(frame.stamp_ns, time.time_ns())
        self._calibrations.observe_main(frame)
        self._streams[0].publish(self._stamps.to_ros(frame))

    def _publish_lores(self, frame: Frame) -> None:
        self._streams[1].publish(self._stamps.to_ros(frame))

    def _publish_sensor_outputs(self, outputs: SensorOutputs, frame: Frame) -> None:
        if self._sensor_outputs is not None:
            self._sensor_outputs.publish_outputs(outputs, self._stamps.to_ros(frame))

    def report(self) -> Report:
        """The camera's health; from any thread."""
        notice = self._source.notice if isinstance(self._source, AutomaticSource) else ""
        dropped = {topic: count for stream in self._streams for topic, count in stream.dropped.items()}
        if self._sensor_outputs is not None:
            dropped[self._sensor_outputs.topic] = self._sensor_outputs.dropped
        return camera_report(self._capture.status(), self._figures.snapshot(time.time_ns()), notice, dropped)

    def close(self) -> None:
        self._demand.close()
        for stream in self._streams:
            stream.finish()
        for stream in self._streams:
            stream.close()
        if self._sensor_outputs is not None:
            self._sensor_outputs.close()
        self._calibrations.close()


def declare_controls(
    runtime: Runtime, node: Node, parameters: NodeParameters[CameraSettings], source: FrameSource
) -> None:
    """Make parameters of the camera's controls, where the source has any; on the thread that spins, when the camera
    opens for the first time, if it does not now. Raises SettingError.
    """
    if not isinstance(source, ControlledSource):
        return

    def declare(controls: ControlSet) -> None:
        ControlParameters(node, source.apply, controls, parameters.meanings, runtime.overrides)

    def declare_late(controls: ControlSet) -> None:
        try:
            declare(controls)
        except SettingError as error:
            node.get_logger().error(str(error))
        runtime.warn_of_unknown()

    try:
        controls = source.probe()
    except CameraError as error:  # in use or unplugged now: capture will try again, and again
        node.get_logger().warning(f"The camera's controls are no parameters until it opens: {error}")
        source.on_controls = lambda controls: runtime.call_soon(lambda: declare_late(controls))
        return
    declare(controls)


async def wire(
    stack: AsyncExitStack, runtime: Runtime, local: LocalTopics, library: CameraLibrary | None = None
) -> None:
    node = runtime.node("camera_node", ManageableNode)
    forward_logs(stack, node, "camera")
    parameters = NodeParameters(node, CameraSettings, runtime.overrides)
    source = make_source(parameters.settings, library)
    declare_controls(runtime, node, parameters, source)

    async def capture(inner: AsyncExitStack) -> CameraNode:
        camera = CameraNode(node, parameters, source, local)
        inner.callback(camera.close)
        await inner.enter_async_context(diagnostics(node, "frames", str(source), camera.report))
        node.get_logger().info(f"Ready: publishes image_raw from {source} while somebody subscribes")
        return camera

    await bring_up(stack, node, parameters.settings.managed, capture, EFFECTS)


def main(library: CameraLibrary | None = None) -> int:
    """Run the node; `library` replaces the installed Picamera2."""
    node_arguments("camera_node", __doc__, CameraSettings)
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics(), library))

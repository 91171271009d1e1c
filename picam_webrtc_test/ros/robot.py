"""A robot with a camera that the test holds in its hand."""

import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo
from sensor_msgs.srv import SetCameraInfo

from picam_webrtc.ros import camera_node
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.ros.support import on_spin_thread, running_loop, wait_until

SIZE = ("-p", "width:=640", "-p", "height:=480")


class Robot:
    """A running camera_node, its fake camera, and a node that listens."""

    def __init__(self, runtime: Runtime, device: FakePicamera2) -> None:
        self.runtime, self.device = runtime, device
        self.camera = next(node for node in runtime.executor.get_nodes() if node.get_name() == "camera_node")
        self.listener: Node = runtime.node("listener", Node)
        self.received: dict[str, list[Any]] = {}

    def listen(self, message_type: type, topic: str) -> list[Any]:
        messages = self.received.setdefault(topic, [])
        ready = threading.Event()

        def subscribe() -> None:
            self.listener.create_subscription(message_type, topic, messages.append, QoSProfile(depth=10))
            ready.set()

        self.runtime.call_soon(subscribe)
        assert ready.wait(10)
        return messages

    def next(self, messages: list[Any]) -> Any:
        """The next message after frames have been made until one came."""
        count = len(messages)
        wait_until(lambda: self._frame() and len(messages) > count, "a message")
        return messages[-1]

    def _frame(self) -> bool:
        if self.device.jobs and not self.device.jobs[-1].future.done():
            self.device.complete(metadata={"ExposureTime": 9000, "SensorTemperature": 45.5})
        return True

    def set(self, **values: Any) -> list[Any]:
        """Set parameters as ros2 param does; the results."""
        results: list[Any] = []
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        on_spin_thread(self.runtime, lambda: results.extend(self.camera.set_parameters(parameters)))
        return results

    def value(self, name: str) -> Any:
        value = self.camera.get_parameter(name).value
        return value if isinstance(value, bool | int | float) or value is None else list(value)


@contextmanager
def robot(
    *arguments: str,
    device: FakePicamera2 | None = None,
    model: str = "imx708",
    beside: Sequence[Callable[[AsyncExitStack, Runtime, LocalTopics], Coroutine[Any, Any, None]]] = (),
) -> Iterator[Robot]:
    """With a camera of that `model`; `beside` wires other nodes in the same process."""
    device = device or FakePicamera2()
    given = ["-p", "source:=picamera2", "-p", "idle_timeout:=0.0", *SIZE, *arguments]
    with Runtime(["test", "--ros-args", *given]) as runtime, running_loop() as run:
        stack, local = AsyncExitStack(), LocalTopics()
        try:
            run(camera_node.wire(stack, runtime, local, FakeLibrary(model, device=device)))
            for wire in beside:
                run(wire(stack, runtime, local))
            runtime.spin()
            yield Robot(runtime, device)
        finally:
            runtime.stop_spinning()
            run(stack.aclose())


def call_set_camera_info(one: Robot, info: CameraInfo) -> SetCameraInfo.Response:
    client = one.listener.create_client(SetCameraInfo, "set_camera_info")
    assert client.wait_for_service(10)
    answer = client.call_async(SetCameraInfo.Request(camera_info=info))
    wait_until(answer.done, "the service's answer")
    return answer.result()


def status_where(one: Robot, reports: list[DiagnosticArray], what: Callable[[DiagnosticStatus], bool]) -> Any:
    wait_until(lambda: one._frame() and any(what(report.status[0]) for report in reports), "the diagnosis")
    return next(report.status[0] for report in reports if what(report.status[0]))

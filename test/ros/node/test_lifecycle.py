"""Stopped, started and managed from outside, and streams that come and go while viewers watch."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.frame import Frame
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc_test.camera.compressed import HALF, encoded
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.ros.support import image_message, running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = pytest.mark.ros

SMALL: dict[str, ParameterValue] = {
    "source": "test_pattern", "transform": "none", "port": 0, "width": 640, "height": 360, "idle_timeout": 0.2,
    "max_requests_per_second": 1000.0,
}  # fmt: skip
TRANSITIONS = [
    *((name, "Configured: waits to be activated") for name in ("camera_node", "inference_node", "webrtc_node")),
    ("camera_node", "Activated: the camera opens when somebody subscribes"),
    ("camera_node", "Deactivated: the camera is closed, whoever subscribes"),
    ("camera_node", "Cleaned up: its topics are gone"),
    ("inference_node", "Activated: frames are taken and given while somebody subscribes"),
    ("inference_node", "Deactivated: no frame is taken or given"),
    ("inference_node", "Cleaned up: its topics are gone"),
    ("webrtc_node", "Activated: streams are encoded while somebody watches"),
    ("webrtc_node", "Deactivated: nothing is encoded; viewers stay connected"),
    ("webrtc_node", "Cleaned up: viewers are disconnected, and the port is closed"),
]
PAGE = r"The page is at (http://\S+)"
SERVICE_TIMEOUT_S = 10.0


def url_of(process: NodeProcess, start: int = 0) -> str:
    return process.wait_for_line(PAGE, start=start)[1]


def stream_names(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url.rstrip('/')}/streams") as response:  # noqa: S310 - our own server
        return [stream["name"] for stream in json.load(response)["streams"]]


class Operator:
    """Another node, which calls services and listens."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def call(self, service_type: type[Any], name: str, request: Any) -> Any:
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(SERVICE_TIMEOUT_S), name
        return self._result(client.call_async(request))

    def switch(self, name: str) -> None:
        assert self.call(Trigger, name, Trigger.Request()).success

    def transition(self, node: str, number: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self.call(ChangeState, f"{node}/change_state", request).success)

    def set_streams(self, streams: list[str]) -> Any:
        client = AsyncParameterClient(self.node, "webrtc_node")
        assert client.wait_for_services(SERVICE_TIMEOUT_S)
        parameter = Parameter("streams", Parameter.Type.STRING_ARRAY, streams)
        return self._result(client.set_parameters([parameter])).results[0]

    def _result(self, future: Any) -> Any:
        wait_until(future.done, "the service's answer")
        return future.result()


@pytest.fixture
def operator() -> Iterator[Operator]:
    with running_node("operator") as (runtime, node):
        runtime.spin()
        yield Operator(node)


@contextmanager
def composed(**more: ParameterValue) -> Iterator[NodeProcess]:
    with node_process("picam_webrtc", SMALL | more) as process:
        yield process


async def test_capture_inference_and_streaming_stop_and_start_by_service(operator: Operator) -> None:
    with composed() as process:
        async with viewer(url_of(process)) as watching:
            await watching.connect_by_whep()
            await watching.next_frame()
            for name in ("camera_node", "inference_node", "webrtc_node"):
                lines = len(process.lines)
                operator.switch(f"/{name}/stop")
                process.wait_for_line(r"Camera closed successfully\.", start=lines)
                operator.switch(f"/{name}/start")
                process.wait_for_line("Camera started", start=lines)
                await watching.next_frame()
            assert watching.connection.connectionState == "connected"


async def test_managed_nodes_work_between_activate_and_deactivate_and_can_be_made_anew(operator: Operator) -> None:
    nodes = ("/camera_node", "/inference_node", "/webrtc_node")
    with composed(managed=True) as process:
        process.wait_for_line("Waiting to be configured")
        for _ in range(2):
            lines = len(process.lines)
            for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
                assert all(operator.transition(node, number) for node in nodes), process.output
            async with viewer(url_of(process, lines)) as watching:
                await watching.connect_by_whep()
                await watching.next_frame()
                assert operator.transition("/camera_node", Transition.TRANSITION_DEACTIVATE)
                process.wait_for_line(r"Camera closed successfully\.", start=lines)
                assert operator.transition("/camera_node", Transition.TRANSITION_ACTIVATE)
                await watching.next_frame()
            for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
                assert all(operator.transition(node, number) for node in reversed(nodes)), process.output
            for name, said in TRANSITIONS:
                process.wait_for_line(rf"\[{name}\]: {said}", start=lines)
    assert "Traceback" not in process.output


def test_a_managed_node_that_cannot_be_configured_says_why_and_lives_on(operator: Operator) -> None:
    with node_process("webrtc_node", {"managed": True, "streams": ("front=image_raw",)}) as process:
        process.wait_for_line("Waiting to be configured")

        assert not operator.transition("/webrtc_node", Transition.TRANSITION_CONFIGURE)
        process.wait_for_line("must be name:=topic")
        assert process.stop() == 0


async def test_streams_are_added_and_removed_while_others_are_watched(operator: Operator) -> None:
    with composed() as process:
        url = url_of(process)
        async with viewer(url) as watching:
            await watching.connect_by_whep("processed")
            await watching.next_frame()

            refused = operator.set_streams(["a=b"])
            assert not refused.successful
            assert "must be name:=topic" in refused.reason
            assert operator.set_streams(["processed:=image_processed", "again:=image_raw"]).successful
            wait_until(lambda: stream_names(url) == ["processed", "again"], "the new list")
            await watching.next_frame()
            async with viewer(url) as other:
                await other.connect_by_whep("again")
                await other.next_frame()


def publishing(runtime: Runtime, node: Node, message_type: type[Any], topic: str, make: Callable[[], Any]) -> None:
    publisher = node.create_publisher(message_type, topic, 1)
    node.create_timer(1 / 15, lambda: publisher.publish(make()))


async def test_any_image_or_compressed_image_topic_is_discovered_shown_and_forgotten() -> None:
    picture = Frame(np.tile(HALF, (4, 4, 1)), "bgr8", 0, "elsewhere")
    with node_process("webrtc_node", {"port": 0, "discover": True, "max_requests_per_second": 1000.0}) as process:
        url = url_of(process)
        with running_node("robot") as (runtime, node):

            def stamped() -> Image:
                message = image_message(picture)
                message.header.stamp = node.get_clock().now().to_msg()
                return message

            jpeg = encoded(".jpg", picture.pixels)

            def compressed() -> CompressedImage:
                return CompressedImage(header=stamped().header, format="jpeg", data=jpeg)

            publishing(runtime, node, Image, "map/image", stamped)
            publishing(runtime, node, CompressedImage, "arm/image/compressed", compressed)
            runtime.spin()
            wait_until(lambda: {"map_image", "arm_image_compressed"} <= set(stream_names(url)), "both topics are found")
            for name in ("map_image", "arm_image_compressed"):
                async with viewer(url) as watching:
                    await watching.connect_by_whep(name)
                    shown = (await watching.next_frame()).to_ndarray(format="bgr24")
                assert shown.shape == (192, 256, 3)
        wait_until(lambda: stream_names(url) == ["processed", "raw"], "they are forgotten", timeout_s=20)


async def test_two_cameras_in_one_process_are_four_streams_and_another_one_is_added(operator: Operator) -> None:
    streams = tuple(
        f"{camera}_{name}:=/{camera}/{topic}"
        for camera in ("front", "rear")
        for name, topic in (("processed", "image_processed"), ("raw", "image_raw"))
    )
    with node_process(
        "picam_webrtc", SMALL | {"streams": streams}, arguments=["--cameras", "/front", "/rear"]
    ) as process:
        url = url_of(process)
        names = [entry.partition(":=")[0] for entry in streams]
        assert stream_names(url) == names
        for name in names:
            async with viewer(url) as watching:
                await watching.connect_by_whep(name)
                await watching.next_frame()

        with (
            node_process("camera_node", SMALL, "-r", "__ns:=/left"),
            node_process("add_streams", arguments=["left_raw=/left/image_raw"]) as adding,
        ):
            wait_until(lambda: "left_raw" in stream_names(url), "the added stream")
            async with viewer(url) as watching:
                await watching.connect_by_whep("left_raw")
                await watching.next_frame()
            assert adding.stop() == 0
        wait_until(lambda: stream_names(url) == names, "it goes with its camera")


def test_all_three_nodes_report_their_health_and_silence_is_noticed(operator: Operator) -> None:
    found: dict[str, DiagnosticStatus] = {}

    def take(message: DiagnosticArray) -> None:
        found.update({status.name: status for status in message.status})

    operator.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)

    def reporting() -> set[str]:
        return {name.split(":")[0] for name in list(found)}

    with composed():
        wait_until(lambda: len(reporting()) >= 3, "a report of each node")
    assert reporting() == {"camera_node", "inference_node", "webrtc_node"}
    assert {status.level for status in found.values()} == {DiagnosticStatus.OK}


async def test_a_stream_without_frames_is_a_warning(operator: Operator) -> None:
    messages: list[str] = []

    def take(message: DiagnosticArray) -> None:
        messages.extend(status.message for status in message.status if status.level == DiagnosticStatus.WARN)

    operator.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    with composed() as process:
        async with viewer(url_of(process)) as watching:
            await watching.connect_by_whep()
            await watching.next_frame()
            operator.switch("/camera_node/stop")
            began_s = time.monotonic()
            wait_until(lambda: any("no frames for" in message for message in messages), "the warning")
            assert time.monotonic() - began_s < 6

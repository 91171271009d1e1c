"""transform:=sensor: what a network on the image sensor found goes the way of any model's detections.

In the test's process with a camera in the test's hand; and with real nodes, in one process and in two, whose camera
is a stand-in for Picamera2 in a capture process.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.detection import Detections
from picam_webrtc.detection_json import detections_from_json
from picam_webrtc.errors import SettingError
from picam_webrtc.ros import inference_node
from picam_webrtc.ros.topics.messages import frame_from_message, stamp_of
from picam_webrtc.sensor_outputs_json import PictureOutputs, sensor_outputs_from_json
from picam_webrtc_test.camera.capture_listener import fake_command, listening
from picam_webrtc_test.camera.fake_imx500 import write_network
from picam_webrtc_test.camera.fake_picamera2 import FakePicamera2
from picam_webrtc_test.camera.libcamera_tables import IMX500
from picam_webrtc_test.camera.sensor_tensors import sensor_tensors
from picam_webrtc_test.pipeline import START_TIMEOUT_S, NodeProcess, node_process
from picam_webrtc_test.ros.robot import Robot, robot
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = pytest.mark.ros

LABELS = ["Bicycle", "Boot", "Laptop", "Person", "Chair", "Cattle", "Desk", "Cat"]
PETS = {"task": "object detection", "labels": LABELS, "bbox_order": "yx"}


@pytest.fixture
def network(tmp_path: Path) -> str:
    return write_network(tmp_path / "pets_pp.rpk", sensor_tensors("cat"), PETS)


@contextmanager
def camera(network: str) -> Iterator[Robot]:
    device = FakePicamera2(sensor=IMX500)
    with robot("-p", f"network:={network}", device=device, model="imx500") as one:
        yield one


@contextmanager
def detecting(*arguments: str) -> Iterator[Robot]:
    """With an inference_node beside the camera_node."""
    device = FakePicamera2(sensor=IMX500)
    given = [part for argument in ("transform:=sensor", *arguments) for part in ("-p", argument)]
    with robot(*given, device=device, model="imx500", beside=[inference_node.wire]) as one:
        yield one


def heard(message: String) -> PictureOutputs:
    return sensor_outputs_from_json(message.data)


def test_every_picture_has_a_message_with_its_stamp(tmp_path: Path) -> None:
    slow = write_network(tmp_path / "slow.rpk", sensor_tensors("cat"), PETS, each=2)
    with camera(slow) as one:
        images, texts = one.listen(Image, "image_raw"), one.listen(String, "sensor_outputs")
        one.next(texts)
        images.clear()
        for _ in range(6):
            one.next(images)
        stamps = [stamp_of(image.header.stamp) for image in images]
        wait_until(lambda: set(stamps) <= {heard(text).stamp_ns for text in texts}, "the outputs of all of them")
        of_them = [one for one in map(heard, texts) if one.stamp_ns in stamps]

    assert [one.stamp_ns for one in of_them] == stamps
    assert {len(one.outputs.tensors) for one in of_them} == {0, 4}
    assert {(one.frame_id, one.outputs.network.name) for one in of_them} == {("camera_optical_frame", "slow")}
    assert all(one.view is not None and one.view.pixel_array == (4056, 3040) for one in of_them)


def test_a_subscriber_of_the_outputs_alone_keeps_the_camera_open(network: str) -> None:
    with camera(network) as one:
        texts = one.listen(String, "sensor_outputs")

        assert len(heard(one.next(texts)).outputs.tensors) == 4
        on_spin_thread(one.runtime, lambda: one.listener.destroy_subscription(next(iter(one.listener.subscriptions))))
        wait_until(lambda: one.device.calls[-1] == "close", "the camera's end")


def test_a_camera_without_a_network_offers_no_outputs() -> None:
    with robot() as one:
        one.next(one.listen(Image, "image_raw"))

        assert one.listener.count_publishers("sensor_outputs") == 0


def test_diagnostics_have_no_tensors(network: str) -> None:
    with camera(network) as one:
        reports, images = one.listen(DiagnosticArray, "/diagnostics"), one.listen(Image, "image_raw")
        one.next(images)
        report = one.next(reports)

    assert len(str(report)) < 5000


def found(message: String) -> Detections:
    return detections_from_json(message.data)


def test_pictures_and_detections_of_the_sensor_come_as_any_models(network: str) -> None:
    with detecting(f"network:={network}") as one:
        pictures, texts = one.listen(Image, "image_processed"), one.listen(String, "detections_json")
        reports = one.listen(DiagnosticArray, "/diagnostics")
        one.next(texts)
        picture = one.next(pictures)
        stamp_ns = stamp_of(picture.header.stamp)
        wait_until(lambda: any(found(text).stamp_ns == stamp_ns for text in texts), "the detections of the picture")
        detections = next(found(text) for text in texts if found(text).stamp_ns == stamp_ns)
        status = sensor_status(one, reports)

    assert [item.label for item in detections.items] == ["Cat"]
    assert (detections.drawn, detections.inference_ns) == (True, 12_345_000)
    assert (detections.width, detections.height) == (picture.width, picture.height) == (640, 480)
    assert frame_from_message(picture).pixels.any()  # the camera's own are black
    values = {pair.key: pair.value for pair in status.values}
    assert (status.hardware_id, values["Model"], values["Task"]) == ("sensor", "sensor: pets_pp", "ssd")
    assert values["Inference, median (ms)"] == "12.345"


def sensor_status(one: Robot, reports: list[DiagnosticArray]) -> Any:
    def statuses() -> list[Any]:
        return [report.status[0] for report in reports if report.status[0].message == "detects"]

    wait_until(lambda: one._frame() and statuses(), "the diagnosis")
    return statuses()[-1]


def test_without_a_network_pictures_pass_as_they_are() -> None:
    with detecting() as one:
        pictures = one.listen(Image, "image_processed")

        assert not frame_from_message(one.next(pictures)).pixels.any()


def test_a_smaller_picture_beside_it_ends_the_node_with_the_reason() -> None:
    refused = pytest.raises(SettingError, match="makes no sense with transform:=sensor")
    with refused, detecting("lores_topic:=lores/image_raw"):
        pass


class Listener:
    def __init__(self, node: Node) -> None:
        self.pictures: list[Image] = []
        self.detections: list[Detections] = []
        node.create_subscription(Image, "image_processed", self.pictures.append, QoSProfile(depth=10))
        node.create_subscription(
            String, "detections_json", lambda text: self.detections.append(found(text)), QoSProfile(depth=10)
        )

    def matched(self) -> tuple[Image, Detections] | None:
        """The newest picture whose detections have come, too."""
        by_stamp = {one.stamp_ns: one for one in self.detections}
        stamped = [(one, by_stamp.get(stamp_of(one.header.stamp))) for one in self.pictures[-20:]]
        return next(((one, detections) for one, detections in reversed(stamped) if detections), None)


@contextmanager
def real_nodes(network: str, folder: Path, *nodes: str) -> Iterator[list[NodeProcess]]:
    """Whose camera is a stand-in for Picamera2 in a capture process."""
    socket = folder / "capture.sock"
    parameters: dict[str, ParameterValue] = {
        "source": "picamera2", "camera_socket": str(socket), "network": network, "transform": "sensor",
        "width": 640, "height": 480, "port": 0,
    }  # fmt: skip
    with listening(socket, fake_command(folder / "fault", "imx500")), ExitStack() as stack:
        yield [stack.enter_context(node_process(name, parameters)) for name in nodes]


@pytest.mark.parametrize("nodes", [("picam_webrtc",), ("camera_node", "inference_node")], ids="-".join)
def test_real_nodes_hand_on_what_the_sensor_found(network: str, tmp_path: Path, nodes: tuple[str, ...]) -> None:
    with real_nodes(network, tmp_path, *nodes) as processes, running_node("listener") as (runtime, node):
        listener = Listener(node)
        runtime.spin()
        wait_until(listener.matched, "a picture with its detections", START_TIMEOUT_S)
        matched = listener.matched()
        codes = [process.stop() for process in processes]
        output = "\n".join(process.output for process in processes)

    assert codes == [0] * len(nodes)
    assert matched is not None
    picture, detections = matched
    (cat,) = detections.items
    assert cat.label == "Cat"
    pixels = frame_from_message(picture).pixels
    assert (picture.width, picture.height) == (640, 480)
    left, top = round(cat.bbox.x0), round(cat.bbox.y0)
    assert len(np.unique(pixels)) > 1  # the stand-in's own pictures are of one brightness
    assert (pixels[top + 40 : 400, left] != pixels[240, 320]).any(axis=1).all()  # the box's left edge
    assert "Detects by the network pets_pp on the image sensor (ssd)" in output
    assert "Traceback" not in output


async def test_a_viewer_gets_them_as_any_models(network: str, tmp_path: Path) -> None:
    with real_nodes(network, tmp_path, "picam_webrtc") as (process,):
        url = process.wait_for_line(r"The page is at (http://\S+)")[1]
        async with viewer(url) as watching:
            heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            channel = watching.connection.createDataChannel("metadata", ordered=False, maxRetransmits=0)
            channel.on("message", lambda text: heard.put_nowait(json.loads(text)))
            await watching.connect_by_whep()
            async with asyncio.timeout(START_TIMEOUT_S):
                while (message := await heard.get())["type"] != "detections" or not message["items"]:
                    pass
            frame = await watching.next_frame()

    assert [item["label"] for item in message["items"]] == ["Cat"]
    assert (message["inference_us"], message["drawn"]) == (12_345, True)
    assert (frame.width, frame.height) == (640, 480)

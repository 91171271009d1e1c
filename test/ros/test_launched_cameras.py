"""Two cameras as users launch them: what launch_ros makes of it is started as it is, and the graph is right."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from rclpy.node import Node
from rclpy.parameter_client import AsyncParameterClient
from sensor_msgs.msg import CameraInfo, CompressedImage

from picam_webrtc.ros.recording.record import has_rosbag2
from picam_webrtc.ros.topics.qos import video_publisher_qos
from picam_webrtc_test.pipeline import NodeProcess
from picam_webrtc_test.ros.launch_stand_in import Action, Launched, PushRosNamespace, SetRemap
from picam_webrtc_test.ros.support import running_node, wait_until

pytestmark = [pytest.mark.ros, pytest.mark.heavy, pytest.mark.timeout(120)]

PATIENCE_S = 30.0
CAMERAS = """
/**:
  ros__parameters: {height: 64, frame_rate: 5.0}
/front/camera_node:
  ros__parameters: {width: 96}
/back:
  left:
    camera_node:
      ros__parameters: {width: 128}
"""
"""All ways to write a name at once."""
WIDTHS = {"front": 96, "back/left": 128}
NAMES = {"front": "front", "back/left": "back_left"}
GLOBAL_TOPICS = {"/diagnostics", "/rosout", "/parameter_events"}
GIVEN = {"source": "test_pattern", "transform": "none", "port": "0"}


@dataclass(frozen=True)
class Case:
    """How it is launched, and where everything is to be: `image`, `processed` and `info` in each camera's namespace."""

    actions: tuple[Action, ...] = ()
    given: dict[str, str] = field(default_factory=dict)
    base: str = ""
    image: str = "image_raw"
    processed: str = "image_processed"
    info: str = "camera_info"

    @property
    def cameras(self) -> list[str]:
        return [f"{self.base}/{name}" for name in NAMES]

    @property
    def nodes(self) -> list[str]:
        of_cameras = [f"{camera}/{node}" for camera in self.cameras for node in ("camera_node", "inference_node")]
        return sorted([*of_cameras, f"{self.base}/webrtc_node", f"{self.base}/record"])

    @property
    def publishers(self) -> dict[str, str]:
        """Topic → the node that publishes it, and no other does."""
        found: dict[str, str] = {}
        for camera in self.cameras:
            for name in (self.image, f"{self.image}/compressed", self.info):
                found[f"{camera}/{name}"] = f"{camera}/camera_node"
            found[f"{camera}/{self.processed}"] = f"{camera}/inference_node"
        return found | dict.fromkeys(self.coded, f"{self.base}/webrtc_node")

    @property
    def coded(self) -> list[str]:
        return [f"{camera}/{name}/h264" for camera in self.cameras for name in (self.image, self.processed)]

    @property
    def infos(self) -> list[str]:
        return [f"{camera}/{self.info}" for camera in self.cameras]


PLAIN = Case()
NAMED = Case(given={"namespace": "robot1"}, base="/robot1")
PUSHED = Case(actions=(PushRosNamespace("robot1"),), base="/robot1")
REMAPS = (SetRemap("image_raw", "cam/image"), SetRemap("image_processed", "found/image"))
REMAPPED = Case(actions=REMAPS, image="cam/image", processed="found/image", info="cam/camera_info")
PUSHED_AND_REMAPPED = replace(REMAPPED, actions=(*PUSHED.actions, *REMAPS), base=PUSHED.base)
CASES = {
    "plain": PLAIN,
    "namespace": NAMED,
    "pushed": PUSHED,
    "remapped": REMAPPED,
    "pushed and remapped": PUSHED_AND_REMAPPED,
}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    return Launched("picam_webrtc.launch.py", monkeypatch)


@contextmanager
def started(commands: dict[str, list[str]]) -> Iterator[str]:
    """Runs them all; the page's address."""
    with ExitStack() as stack:
        for command in commands.values():
            process = NodeProcess(command, {"PICAM_WEBRTC_PYTHON": sys.executable})
            stack.callback(process.stop)
            if Path(command[0]).name in {"webrtc_node", "picam_webrtc"}:
                web = process
        yield web.wait_for_line(r"The page is at (http://\S+)")[1]


def full(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}"


class Onlooker:
    """Another node of the robot, which looks at the graph."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.came: set[str] = set()

    def nodes(self) -> list[str]:
        found = (full(namespace, name) for name, namespace in self.node.get_node_names_and_namespaces())
        return sorted(name for name in found if name != "/onlooker")

    def publishers(self, topics: Any) -> dict[str, str]:
        return {topic: self._publisher(topic) for topic in topics}

    def _publisher(self, topic: str) -> str:
        infos = self.node.get_publishers_info_by_topic(topic)
        return ", ".join(full(one.node_namespace, one.node_name) for one in infos)

    def subscriptions(self, name: str, namespace: str) -> set[str]:
        if full(namespace, name) not in self.nodes():
            return set()
        return {topic for topic, _ in self.node.get_subscriber_names_and_types_by_node(name, namespace)}

    def listen(self, message_type: type, topics: list[str]) -> None:
        for topic in topics:
            take = lambda _, topic=topic: self.came.add(topic)  # noqa: E731
            self.node.create_subscription(message_type, topic, take, video_publisher_qos())

    def width(self, camera: str) -> Any:
        client = AsyncParameterClient(self.node, f"{camera}/camera_node")
        wait_until(lambda: client.services_are_ready(), "the services", PATIENCE_S)
        answer = client.get_parameters(["width"])
        wait_until(answer.done, "the answer", PATIENCE_S)
        return answer.result().values[0].integer_value


def is_ready(page: str) -> bool:
    """Whether every stream has somebody who publishes its topic."""
    try:
        with urlopen(f"{page}readyz", timeout=5) as answer:  # noqa: S310 - of a node of this test
            return bool(answer.status == 200)
    except HTTPError:
        return False


@pytest.mark.parametrize("composed", ["true", "false"], ids=["one process", "several processes"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_camera_has_its_nodes_topics_parameters_streams_and_recording(
    launched: Launched, tmp_path: Path, case: Case, composed: str
) -> None:
    file = tmp_path / "cameras.yaml"
    file.write_text(CAMERAS)
    given = {"composed": composed, "cameras": str(file), "record": "true", "record_to": str(tmp_path / "drive")}
    commands = launched.commands(*case.actions, **GIVEN, **given, **case.given)
    with running_node("onlooker") as (runtime, node), started(commands) as page:
        onlooker = Onlooker(node)
        wait_until(lambda: is_ready(page), "a publisher behind every stream", PATIENCE_S)
        wait_until(lambda: onlooker.publishers(case.publishers) == case.publishers, "each publisher", PATIENCE_S)
        assert onlooker.nodes() == case.nodes

        if not has_rosbag2():
            recorded = {*case.coded, *case.infos, *GLOBAL_TOPICS}
            of_record = partial(onlooker.subscriptions, "record", case.base or "/")
            wait_until(lambda: of_record() == recorded, f"just what is to be recorded: {recorded}", PATIENCE_S)

        onlooker.listen(CompressedImage, case.coded)
        onlooker.listen(CameraInfo, case.infos)
        runtime.spin()
        wait_until(lambda: onlooker.came == {*case.coded, *case.infos}, "a message of each", PATIENCE_S)
        assert {name: onlooker.width(full(case.base, name)) for name in WIDTHS} == WIDTHS

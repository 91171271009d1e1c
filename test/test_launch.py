"""The launch file, read with recorders in the place of launch and launch_ros, which no registry has."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from picam_webrtc.declaration import Settings
from picam_webrtc.errors import SettingError
from picam_webrtc.ros import launching
from picam_webrtc.settings import (
    AddedCameraSettings,
    CameraSettings,
    InferenceSettings,
    LaunchSettings,
    WebRtcSettings,
)

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
}
CAMERAS = ROOT / "config" / "cameras.yaml"
EXECUTABLES = {path.name for path in (ROOT / "resource" / "executables").iterdir()}


@dataclass
class Argument:
    name: str
    description: str
    default_value: str | None = None
    choices: list[str] = field(default_factory=list)


@dataclass
class OpaqueFunction:
    function: Any


@dataclass
class Node:
    package: str
    executable: str
    namespace: str
    parameters: list[Any]
    arguments: list[str]
    ros_arguments: list[str]
    respawn: bool
    respawn_delay: float
    output: str


@dataclass
class LaunchDescription:
    entities: list[Any]


class Launched:
    """What a launch file declares, and the nodes it makes of given arguments."""

    def __init__(self, module: ModuleType) -> None:
        entities = module.generate_launch_description().entities
        self.arguments = {one.name: one for one in entities if isinstance(one, Argument)}
        self._make_nodes = next(one.function for one in entities if isinstance(one, OpaqueFunction))

    def nodes(self, **given: str) -> list[Node]:
        values = {name: one.default_value for name, one in self.arguments.items() if one.default_value is not None}
        assert given.keys() <= self.arguments.keys()
        made: list[Node] = self._make_nodes(SimpleNamespace(launch_configurations=values | given))
        return made

    def by_executable(self, **given: str) -> dict[str, Node]:
        return {node.executable: node for node in self.nodes(**given)}


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for launch and launch_ros."""
    modules: dict[str, dict[str, object]] = {
        "launch": {
            "LaunchDescription": LaunchDescription,
            "LaunchContext": SimpleNamespace,
            "LaunchDescriptionEntity": object,
        },
        "launch.actions": {"DeclareLaunchArgument": Argument, "OpaqueFunction": OpaqueFunction},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Node},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def launched(recorders: None) -> Launched:
    return Launched(load(ROOT / "launch" / "picam_webrtc.launch.py"))


@pytest.fixture
def adding(recorders: None) -> Launched:
    return Launched(load(ROOT / "launch" / "add_camera.launch.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_is_described(launched: Launched, adding: Launched) -> None:
    assert {"source", "model", "transform", "port", "composed", "namespace", "params_file"} <= launched.arguments.keys()
    for argument in (*launched.arguments.values(), *adding.arguments.values()):
        assert argument.description


def test_an_argument_with_choices_offers_those_of_its_parameter(launched: Launched) -> None:
    declared = {one.name: one.param.choices for one in CameraSettings.declarations()}

    assert launched.arguments["source"].choices == ["", *declared["source"]]
    assert launched.arguments["discover"].choices == ["", "true", "false"]
    assert launched.arguments["record"].choices == ["true", "false"]


def test_an_arguments_default_is_the_one_in_the_settings(launched: Launched, adding: Launched) -> None:
    assert adding.arguments["webrtc_node"].default_value == AddedCameraSettings().webrtc_node
    for declared in LaunchSettings.declarations():
        shown = launched.arguments[declared.name].default_value
        assert shown == (str(declared.default).lower() if declared.type is bool else str(declared.default))


def test_three_processes_or_one(launched: Launched) -> None:
    assert launched.by_executable(composed="false").keys() == SETTINGS.keys()
    assert launched.by_executable(composed="true").keys() == {"picam_webrtc"}


@pytest.mark.parametrize(("cores", "composed"), [(1, True), (4, True), (8, False)])
def test_one_process_is_the_default_on_small_machines(cores: int, composed: bool) -> None:
    assert launching.is_composed(LaunchSettings(), cores) is composed


@pytest.mark.parametrize("composed", ["false", "true"])
def test_what_is_launched_exists_in_this_package(launched: Launched, adding: Launched, composed: str) -> None:
    for node in [*launched.nodes(composed=composed, record="true"), *adding.nodes(namespace="rear")]:
        assert node.package == "picam_webrtc"
        assert node.executable in EXECUTABLES


def test_arguments_reach_the_nodes_that_declare_them_in_their_types(launched: Launched) -> None:
    nodes = launched.by_executable(
        composed="false", source="test_pattern", port="8090", transform="none", namespace="front", managed="true"
    )

    assert nodes["camera_node"].parameters == [{"source": "test_pattern", "managed": True}]
    assert nodes["inference_node"].parameters == [{"transform": "none", "managed": True}]
    assert nodes["webrtc_node"].parameters == [{"port": 8090, "managed": True}]
    assert {node.namespace for node in nodes.values()} == {"front"}


def test_the_one_process_gets_all_of_them(launched: Launched) -> None:
    nodes = launched.by_executable(composed="true", source="test_pattern", port="8090")

    assert nodes["picam_webrtc"].parameters == [{"source": "test_pattern", "port": 8090}]


def test_an_argument_wins_over_the_parameter_file_and_hides_nothing_when_absent(
    launched: Launched, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.touch()

    def parameters(**given: str) -> list[Any]:
        return launched.by_executable(composed="false", params_file=str(mine), **given)["camera_node"].parameters

    assert parameters(source="test_pattern") == [str(mine), {"source": "test_pattern"}]
    assert parameters() == [str(mine), {}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, r"'params_file' = '.*/mine\.yaml': cannot be read as YAML: .*No such file"),
        ("{", "cannot be read as YAML"),
        ("camera_node", "has no parameters: it must have sections, named by nodes"),
    ],
)
def test_a_parameter_file_that_is_none_is_refused_and_nothing_starts(
    launched: Launched, adding: Launched, tmp_path: Path, text: str | None, complaint: str
) -> None:
    mine = tmp_path / "mine.yaml"
    if text is not None:
        mine.write_text(text)

    for file in (launched, adding):
        with pytest.raises(SettingError, match=complaint):
            file.nodes(params_file=str(mine), namespace="front")


@pytest.mark.parametrize("named", ["~/mine.yaml", "$ROBOT/mine.yaml", "${ROBOT}/mine.yaml", "robot/mine.yaml"])
def test_paths_of_the_launch_are_taken_as_people_write_them(
    launched: Launched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    home = tmp_path / "robot"
    home.mkdir()
    (home / "mine.yaml").write_text("{front: {camera_node: {ros__parameters: {width: 640}}}}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ROBOT", str(home))

    nodes = launched.by_executable(composed="false", params_file=named, cameras=named, record="true", record_to=named)

    assert nodes["camera_node"].parameters[:2] == [str(home / "mine.yaml")] * 2
    assert nodes["record"].arguments[:2] == ["--output", str(home / "mine.yaml")]


def test_our_own_cameras_file_is_found_by_its_package(launched: Launched) -> None:
    nodes = launched.nodes(composed="true", cameras="package://picam_webrtc/config/cameras.yaml")

    assert any(str(parameters).endswith("config/cameras.yaml") for parameters in nodes[0].parameters)


def test_a_package_that_is_not_there_is_named(launched: Launched) -> None:
    with pytest.raises(SettingError, match=r"'package://no_such/a\.yaml': there is no ROS package no_such"):
        launched.nodes(params_file="package://no_such/a.yaml")


def test_respawn_and_log_level_reach_every_process(launched: Launched) -> None:
    nodes = launched.nodes(composed="false", respawn="true", respawn_delay="0.5", log_level="debug")

    assert all(node.respawn and node.respawn_delay == 0.5 for node in nodes)
    assert all(node.ros_arguments[:2] == ["--log-level", "debug"] for node in nodes)


def test_every_namespace_of_the_cameras_file_is_a_camera_and_all_are_on_one_page(launched: Launched) -> None:
    nodes = launched.nodes(composed="false", cameras=str(CAMERAS))

    cameras = [(node.namespace, node.executable) for node in nodes if node.executable != "webrtc_node"]
    assert cameras == [
        (namespace, executable) for namespace in ("/front", "/rear") for executable in ("camera_node", "inference_node")
    ]
    (web,) = (node for node in nodes if node.executable == "webrtc_node")
    assert web.parameters[0] == {
        "streams": [
            "front_processed:=/front/image_processed",
            "front_raw:=/front/image_raw",
            "rear_processed:=/rear/image_processed",
            "rear_raw:=/rear/image_raw",
        ],
        "controlled_nodes": [
            "/front/camera_node", "/front/inference_node", "/rear/camera_node", "/rear/inference_node", "webrtc_node",
        ],
    }  # fmt: skip
    assert all(str(CAMERAS) in node.parameters for node in nodes)


def test_several_cameras_in_one_process(launched: Launched) -> None:
    (node,) = launched.nodes(composed="true", cameras=str(CAMERAS))

    assert node.arguments == ["--cameras", "/front", "/rear"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must have a section for each camera"),
        ("{", "cannot be read as YAML"),
        ("/**: {camera_node: {}}", "must have"),
    ],
)
def test_a_file_without_cameras_is_refused(launched: Launched, tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)

    with pytest.raises(SettingError, match=complaint):
        launched.nodes(cameras=str(path))


def test_a_missing_cameras_file_is_named(launched: Launched) -> None:
    with pytest.raises(SettingError, match=r"/no/such\.yaml"):
        launched.nodes(cameras="/no/such.yaml")


def test_recording_publishes_coded_video_and_takes_that_of_every_camera(launched: Launched) -> None:
    nodes = launched.by_executable(composed="false", cameras=str(CAMERAS), record="true", record_to="drive")

    assert nodes["webrtc_node"].parameters[0]["encoded_topics"] == "compressed_image"
    assert nodes["record"].arguments[:2] == ["--output", str(Path.cwd() / "drive")]
    assert {"/front/image_processed/h264", "/rear/camera_info", "/rosout"} <= set(nodes["record"].arguments)
    assert not any(topic.endswith("image_raw") for topic in nodes["record"].arguments)


def test_an_added_camera_gets_its_namespace_and_its_streams_a_place_on_the_page(adding: Launched) -> None:
    nodes = adding.by_executable(namespace="rear", source="test_pattern", webrtc_node="/robot/webrtc_node")

    assert nodes["camera_node"].parameters == [
        {"camera_name": "rear", "frame_id": "rear_optical_frame"}, {"source": "test_pattern"},
    ]  # fmt: skip
    assert {node.namespace for node in nodes.values()} == {"rear"}
    assert nodes["add_streams"].arguments == [
        "--to", "/robot/webrtc_node", "rear_processed=/rear/image_processed", "rear_raw=/rear/image_raw",
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_key_of_a_shipped_parameter_file_is_declared_and_its_value_allowed(path: Path) -> None:
    for node, entry in node_entries(yaml.safe_load(path.read_text())):
        SETTINGS[node].from_values(entry["ros__parameters"])


def node_entries(sections: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in sections.items():
        if "ros__parameters" in entry:
            yield name.strip("/"), entry
        else:
            yield from node_entries(entry)


def test_under_launch_testing_both_shapes_work() -> None:
    pytest.importorskip("launch_testing", reason="launch and launch_ros come with a ROS installation only")
    pytest.importorskip("launch_ros", reason="launch and launch_ros come with a ROS installation only")
    test_file = ROOT / "test" / "launch" / "pipeline_launch_test.py"
    subprocess.run([sys.executable, "-m", "launch_testing.launch_test", test_file], check=True, timeout=120)

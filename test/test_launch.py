"""The launch file, read with recorders in the place of launch and launch_ros, which no registry has."""

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from picam_webrtc.settings import CameraSettings, InferenceSettings, Settings, WebRtcSettings

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
}
EXECUTABLES = {path.name for path in (ROOT / "resource" / "executables").iterdir()}


@dataclass
class Argument:
    name: str
    default_value: str
    description: str
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
    output: str


@dataclass
class LaunchDescription:
    entities: list[Any]


class Launched:
    """What the launch file declares, and the nodes it makes of given arguments."""

    def __init__(self, module: ModuleType) -> None:
        entities = module.generate_launch_description().entities
        self.arguments = {one.name: one for one in entities if isinstance(one, Argument)}
        self._make_nodes = next(one.function for one in entities if isinstance(one, OpaqueFunction))

    def nodes(self, **given: str) -> dict[str, Node]:
        values = {name: argument.default_value for name, argument in self.arguments.items()}
        assert given.keys() <= values.keys()
        nodes: list[Node] = self._make_nodes(SimpleNamespace(launch_configurations=values | given))
        return {node.executable: node for node in nodes}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    recorders: dict[str, dict[str, object]] = {
        "launch": {
            "LaunchDescription": LaunchDescription,
            "LaunchContext": SimpleNamespace,
            "LaunchDescriptionEntity": object,
        },
        "launch.actions": {"DeclareLaunchArgument": Argument, "OpaqueFunction": OpaqueFunction},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Node},
    }
    for name, members in recorders.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return Launched(load(ROOT / "launch" / "picam_webrtc.launch.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_is_described(launched: Launched) -> None:
    assert {"source", "model", "transform", "port", "composed", "namespace", "params_file"} <= launched.arguments.keys()
    assert all(argument.description for argument in launched.arguments.values())


def test_an_argument_with_choices_offers_those_of_its_parameter(launched: Launched) -> None:
    declared = {one.name: one.param.choices for one in CameraSettings.declarations()}

    assert launched.arguments["source"].choices == ["", *declared["source"]]


def test_three_processes_are_the_default_and_composed_is_one(launched: Launched) -> None:
    assert launched.nodes().keys() == SETTINGS.keys()
    assert launched.nodes(composed="true").keys() == {"picam_webrtc"}


@pytest.mark.parametrize("composed", ["false", "true"])
def test_what_is_launched_exists_in_this_package(launched: Launched, composed: str) -> None:
    for executable, node in launched.nodes(composed=composed).items():
        assert node.package == "picam_webrtc"
        assert executable in EXECUTABLES


def test_arguments_reach_the_nodes_that_declare_them_in_their_types(launched: Launched) -> None:
    nodes = launched.nodes(source="test_pattern", port="8090", transform="none", namespace="front")

    assert nodes["camera_node"].parameters == [{"source": "test_pattern"}]
    assert nodes["inference_node"].parameters == [{"transform": "none"}]
    assert nodes["webrtc_node"].parameters == [{"transform": "none", "port": 8090}]
    assert {node.namespace for node in nodes.values()} == {"front"}


def test_the_one_process_gets_all_of_them(launched: Launched) -> None:
    nodes = launched.nodes(composed="true", source="test_pattern", port="8090")

    assert nodes["picam_webrtc"].parameters == [{"source": "test_pattern", "port": 8090}]


def test_an_argument_wins_over_the_parameter_file_and_hides_nothing_when_absent(launched: Launched) -> None:
    parameters = launched.nodes(params_file="mine.yaml", source="test_pattern")["camera_node"].parameters

    assert parameters == ["mine.yaml", {"source": "test_pattern"}]
    assert launched.nodes(params_file="mine.yaml")["camera_node"].parameters == ["mine.yaml", {}]


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_key_of_a_shipped_parameter_file_is_declared_and_its_value_allowed(path: Path) -> None:
    (nodes,) = yaml.safe_load(path.read_text()).values()
    for node, entry in nodes.items():
        SETTINGS[node].from_values(entry["ros__parameters"])

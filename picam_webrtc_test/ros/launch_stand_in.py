"""launch and launch_ros, which no registry has, as far as our launch files use them; and our launch files under them.

What is done with arguments is what launch and launch_ros do: ros2/launch_ros f9ab937 of November 2024 (actions/node.py,
push_ros_namespace.py, set_remap.py, utilities/namespace_utils.py, normalize_parameters.py, evaluate_parameters.py; the
same in jazzy) and ros2/launch of that time (actions/declare_launch_argument.py, include_launch_description.py).
"""

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXECUTABLES = ROOT / "resource" / "executables"


class LaunchContext:
    """`argv` is what `ros2 launch` got after the launch file's name."""

    def __init__(self, argv: Iterable[str] = ()) -> None:
        self.argv = list(argv)
        self.launch_configurations: dict[str, Any] = {}


@dataclass
class DeclareLaunchArgument:
    name: str
    description: str
    default_value: str | None = None
    choices: list[str] | None = None

    def __post_init__(self) -> None:
        if self.choices is not None and self.default_value is not None and self.default_value not in self.choices:
            raise RuntimeError(f'Provided default_value "{self.default_value}" is not in provided choices')

    def execute(self, context: LaunchContext) -> list["Node"]:
        if self.default_value is None and self.name not in context.launch_configurations:
            raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
        value = context.launch_configurations.setdefault(self.name, self.default_value)
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f'Argument "{self.name}" provided value "{value}" is not valid.')
        return []


@dataclass
class OpaqueFunction:
    function: Callable[[LaunchContext], list["Node"]]

    def execute(self, context: LaunchContext) -> list["Node"]:
        return self.function(context)


@dataclass
class PushRosNamespace:
    namespace: str

    def execute(self, context: LaunchContext) -> list["Node"]:
        pushed = prefixed(context.launch_configurations.get("ros_namespace"), self.namespace)
        context.launch_configurations["ros_namespace"] = absolute(pushed)
        return []


@dataclass
class SetRemap:
    src: str
    dst: str

    def execute(self, context: LaunchContext) -> list["Node"]:
        context.launch_configurations.setdefault("ros_remaps", []).append((self.src, self.dst))
        return []


Action = DeclareLaunchArgument | OpaqueFunction | PushRosNamespace | SetRemap


@dataclass
class LaunchDescription:
    entities: list[Action]


@dataclass(kw_only=True)
class Node:
    package: str
    executable: str
    namespace: str | None = None
    parameters: list[Any] = field(default_factory=list)
    remappings: list[tuple[str, str]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    ros_arguments: list[str] = field(default_factory=list)
    respawn: bool = False
    respawn_delay: float = 0.0
    output: str = "log"

    def command(self, context: LaunchContext) -> list[str]:
        """The command line; a node without a name has its dictionaries of parameters under `/**`."""
        command = [str(EXECUTABLES / self.executable), *self.arguments, "--ros-args", *self.ros_arguments, "--ros-args"]
        namespace = absolute(prefixed(context.launch_configurations.get("ros_namespace"), self.namespace))
        if namespace is not None:
            command += ["-r", f"__ns:={namespace}"]
        for given in self.parameters:
            path = given if isinstance(given, str) else written(evaluated(given))
            if Path(path).is_file():  # else launch_ros warns and leaves it out
                command += ["--params-file", path]
        for source, target in (*context.launch_configurations.get("ros_remaps", []), *self.remappings):
            command += ["-r", f"{source}:={target}"]
        return command


def prefixed(base: str | None, namespace: str | None) -> str | None:
    if namespace is None or base is None:
        joined = base if namespace is None else namespace
    elif not base or namespace.startswith("/"):
        joined = namespace
    else:
        joined = f"{'' if base == '/' else base}/{namespace}"
    return joined if joined is None or joined == "/" else joined.rstrip("/")


def absolute(namespace: str | None) -> str | None:
    return namespace if namespace is None or namespace.startswith("/") else f"/{namespace}"


def evaluated(parameters: dict[str, Any]) -> dict[str, Any]:
    for name, value in parameters.items():
        if isinstance(value, Sequence) and not isinstance(value, str) and not value:
            raise TypeError(f'Expected a non-empty sequence, with items of uniform type, for "{name}"')
        if not isinstance(value, str | bool | int | float | Sequence):
            raise TypeError(f"Unexpected type for parameter value {value!r}")
    return dict(parameters)


def written(parameters: dict[str, Any]) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
        yaml.dump({"/**": {"ros__parameters": parameters}}, file, default_flow_style=False)
    return file.name


class Logger:
    """What launch's loggers were told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class Launched:
    """One of our launch files: what it declares, and the nodes it makes."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logger = Logger()
        self.path = ROOT / "launch" / name
        for module, members in self._modules().items():
            stand_in = ModuleType(module)
            vars(stand_in).update(members)
            monkeypatch.setitem(sys.modules, module, stand_in)
        self._entities: list[Action] = load(self.path).generate_launch_description().entities
        self.arguments = {one.name: one for one in self._entities if isinstance(one, DeclareLaunchArgument)}

    def _modules(self) -> dict[str, dict[str, object]]:
        return {
            "launch": {
                "LaunchDescription": LaunchDescription,
                "LaunchContext": LaunchContext,
                "LaunchDescriptionEntity": object,
            },
            "launch.actions": {"DeclareLaunchArgument": DeclareLaunchArgument, "OpaqueFunction": OpaqueFunction},
            "launch.logging": {"get_logger": lambda _: self.logger},
            "launch_ros": {},
            "launch_ros.actions": {"Node": Node},
        }

    def launch(self, context: LaunchContext, actions: Iterable[Action] = (), **given: str) -> list[Node]:
        """The nodes that come of it where `actions` were executed before, in the same group."""
        context.launch_configurations.update(given)
        return [node for action in (*actions, *self._entities) for node in action.execute(context)]

    def nodes(self, *actions: Action, **given: str) -> list[Node]:
        assert given.keys() <= self.arguments.keys()
        return self.launch(LaunchContext(), actions, **given)

    def by_executable(self, *actions: Action, **given: str) -> dict[str, Node]:
        return {node.executable: node for node in self.nodes(*actions, **given)}

    def commands(self, *actions: Action, **given: str) -> dict[str, list[str]]:
        """The command line of each process, by its executable and number."""
        context = LaunchContext()
        nodes = self.launch(context, actions, **given)
        return {f"{node.executable}{number}": node.command(context) for number, node in enumerate(nodes)}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch_file", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started_by(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """As if this process were `ros2 launch`."""
    monkeypatch.setattr(sys, "argv", ["/opt/ros/bin/ros2", "launch", *command])

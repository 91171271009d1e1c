"""What the launch files declare and start, in the words of launch and launch_ros but without importing them."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from picam_webrtc.declaration import Declaration, ParameterValue, Settings, written
from picam_webrtc.errors import SettingError
from picam_webrtc.paths import with_paths
from picam_webrtc.ros.process.packages import package_share
from picam_webrtc.ros.recording.recorded_topics import recorded_topics
from picam_webrtc.settings import (
    AddedCameraSettings,
    CameraSettings,
    InferenceSettings,
    LaunchSettings,
    WebRtcSettings,
)

NODES: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
}
CAMERA_NODES = ("camera_node", "inference_node")
PACKAGE = "picam_webrtc"
NODE_PARAMETERS = (
    *("source", "bag", "video_file", "model", "transform", "overlay"),
    *("host", "port", "discover", "managed"),
)
"""Node parameters that are launch arguments too; the others are set through params_file."""
CAMERA_PARAMETERS = ("source", "camera", "video_file", "model", "transform")
"""The same for the launch file that adds a camera."""
SMALL_MACHINE_CORES = 4
"""Up to here (every Raspberry Pi) the copies between processes cost more than their isolation is worth."""
IMAGE_TOPICS = {"processed": "image_processed", "raw": "image_raw"}
"""The streams of one camera and their topics."""


@dataclass(frozen=True, slots=True)
class Process:
    """One executable of ours. `parameters` as launch_ros takes them: files and dictionaries, later ones win."""

    executable: str
    namespace: str
    parameters: tuple[str | dict[str, Any], ...] = ()
    arguments: tuple[str, ...] = ()


def node_declaration(name: str, nodes: Iterable[str] = tuple(NODES)) -> Declaration | None:
    """The declaration of that parameter in the first of the nodes that has one."""
    return next((one for node in nodes for one in NODES[node].declarations() if one.name == name), None)


def launch_settings(given: Mapping[str, str]) -> LaunchSettings:
    """The launch's own arguments in their types, its paths absolute. Raises SettingError."""
    names = {field.name for field in fields(LaunchSettings)}
    declared = {one.name: one for one in LaunchSettings.declarations()}
    settings = LaunchSettings.from_values(
        {name: typed(declared[name], text) for name, text in given.items() if name in names}
    )
    return with_paths(settings, package_share)


def typed(declared: Declaration, text: str) -> ParameterValue:
    """What `text`, as written on a command line, means for that parameter. Raises SettingError."""
    if declared.type is str:
        return declared.check(text)
    try:
        return declared.check(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SettingError(declared.name, text, "must be a YAML value") from error


def overrides(given: Mapping[str, str], nodes: Iterable[str], names: Iterable[str] = NODE_PARAMETERS) -> dict[str, Any]:
    """Those of the node parameters `names` that the user gave as launch arguments and one of `nodes` declares."""
    found = {name: node_declaration(name, tuple(nodes)) for name in names if given.get(name)}
    return {name: typed(declared, given[name]) for name, declared in found.items() if declared is not None}


def is_composed(settings: LaunchSettings, cores: int | None = None) -> bool:
    if settings.composed == "auto":
        return (cores or os.cpu_count() or 1) <= SMALL_MACHINE_CORES
    return settings.composed == "true"


def sections_of(argument: str, path: str) -> dict[str, Any]:
    """What is in the parameter file that the launch argument names. Raises SettingError."""
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingError(argument, path, f"cannot be read as YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingError(argument, path, "has no parameters: it must have sections, named by nodes")
    return content


def parameter_files(settings: LaunchSettings) -> tuple[str, ...]:
    """Those of the launch, each of which is there and is YAML. Raises SettingError."""
    named = {"cameras": settings.cameras, "params_file": settings.params_file}
    for argument, path in named.items():
        if path:
            sections_of(argument, path)
    return tuple(filter(None, named.values()))


def camera_namespaces(path: str) -> tuple[str, ...]:
    """The namespaces in a parameter file that have a camera_node. Raises SettingError."""
    sections = sections_of("cameras", path)
    found = [name for name, nodes in sections.items() if isinstance(nodes, dict) and "camera_node" in nodes]
    if not found or any("*" in name for name in found):
        reason = (
            "must have a section for each camera, named by its namespace, with a camera_node in it: see cameras.yaml"
        )
        raise SettingError("cameras", path, reason)
    return tuple(f"/{name.strip('/')}" for name in found)


def camera_streams(namespace: str) -> tuple[str, ...]:
    """The streams of the camera in `namespace`, as webrtc_node's parameter `streams` has them."""
    name = _name(namespace)
    return tuple(f"{name}_{stream}:=/{namespace.strip('/')}/{topic}" for stream, topic in IMAGE_TOPICS.items())


def _name(namespace: str) -> str:
    """As a word of its own: `/robot/front` is `robot_front`."""
    return namespace.strip("/").replace("/", "_")


def processes(given: Mapping[str, str]) -> list[Process]:
    """All processes that the launch arguments ask for. Raises SettingError."""
    settings = launch_settings(given)
    if settings.cameras and settings.namespace:
        raise SettingError("namespace", settings.namespace, "the file of cameras:= has the namespaces; write it there")
    cameras = camera_namespaces(settings.cameras) if settings.cameras else ()
    shared = _web_parameters(settings, cameras)
    files = parameter_files(settings)
    if is_composed(settings):
        arguments = ("--cameras", *cameras) if cameras else ()
        one = Process("picam_webrtc", settings.namespace, (*shared, *files, overrides(given, NODES)), arguments)
        return [one, *_recorder(settings, cameras)]
    separate = [
        Process(node, namespace, (*files, overrides(given, [node])))
        for namespace in cameras or (settings.namespace,)
        for node in CAMERA_NODES
    ]
    web = Process("webrtc_node", settings.namespace, (*shared, *files, overrides(given, ["webrtc_node"])))
    return [*separate, web, *_recorder(settings, cameras)]


def _web_parameters(settings: LaunchSettings, cameras: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """What the launch itself wants of webrtc_node; parameter files may say otherwise."""
    wanted: dict[str, Any] = {}
    if cameras:
        wanted["streams"] = [stream for camera in cameras for stream in camera_streams(camera)]
        nodes = [f"{camera}/{node}" for camera in cameras for node in CAMERA_NODES]
        wanted["controlled_nodes"] = [*nodes, "webrtc_node"]
    if settings.record:
        wanted["encoded_topics"] = "compressed_image"
    return (wanted,) if wanted else ()


def _recorder(settings: LaunchSettings, cameras: tuple[str, ...]) -> list[Process]:
    if not settings.record:
        return []
    arguments = ("--output", bag_name(settings), *recorded_topics(cameras or (settings.namespace,)))
    return [Process("record", settings.namespace, (), arguments)]


def bag_name(settings: LaunchSettings) -> str:
    return settings.record_to or time.strftime("picam_webrtc_%Y-%m-%d_%H-%M-%S")


def log_arguments(level: str) -> list[str]:
    """ROS arguments; at debug the middleware's own chatter stays out."""
    quiet = ["--log-level", "rcl:=info", "--log-level", "rmw_fastrtps_cpp:=info"] if level == "debug" else []
    return ["--log-level", level, *quiet]


def added_camera(given: Mapping[str, str]) -> list[Process]:
    """The processes of one more camera, and the one that has `webrtc_node` serve it. Raises SettingError."""
    settings = launch_settings(given)
    if not settings.namespace.strip("/"):
        raise SettingError("namespace", settings.namespace, "an added camera needs one, e.g. namespace:=rear")
    name = _name(settings.namespace)
    # Else it would have the calibration and the frame of the camera that is there already.
    named = {"camera_name": name, "frame_id": f"{name}_optical_frame"}
    files = parameter_files(settings)
    nodes = [
        Process(node, settings.namespace, (named, *files, overrides(given, [node], CAMERA_PARAMETERS)))
        for node in CAMERA_NODES
    ]
    streams = (stream.replace(":=", "=") for stream in camera_streams(settings.namespace))
    arguments = ("--to", given["webrtc_node"], *streams)
    return [*nodes, Process("add_streams", settings.namespace, (), arguments)]


def node_actions(processes: Iterable[Process], settings: LaunchSettings) -> list[dict[str, Any]]:
    """For each process the arguments of launch_ros' Node."""
    return [
        {
            "package": PACKAGE,
            "executable": process.executable,
            "namespace": process.namespace,
            "parameters": list(process.parameters),
            "arguments": list(process.arguments),
            "ros_arguments": log_arguments(settings.log_level),
            # A bag that exists already is not written to again.
            "respawn": settings.respawn and process.executable != "record",
            "respawn_delay": settings.respawn_delay,
            "output": "screen",
        }
        for process in processes
    ]


def parameter_argument(name: str) -> dict[str, Any]:
    """A node parameter as arguments of DeclareLaunchArgument: empty unless given, so that it hides no params_file."""
    (declared, *_) = (one for settings in NODES.values() for one in settings.declarations() if one.name == name)
    default = written(declared.default) or "empty"
    description = f"{declared.param.description} (unless given: as in params_file, else {default})"
    choices = {"choices": ["", *_choices(declared)]} if _choices(declared) else {}
    return {"name": name, "default_value": "", "description": description, **choices}


def launch_argument(name: str) -> dict[str, Any]:
    """What a launch file itself asks for, as arguments of DeclareLaunchArgument."""
    asked = (*LaunchSettings.declarations(), *AddedCameraSettings.declarations())
    (declared,) = (one for one in asked if one.name == name)
    choices = {"choices": _choices(declared)} if _choices(declared) else {}
    default = written(declared.default)
    return {"name": name, "default_value": default, "description": declared.param.description, **choices}


def _choices(declared: Declaration) -> list[str]:
    return ["true", "false"] if declared.type is bool else list(declared.param.choices)

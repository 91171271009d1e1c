"""What the launch files declare and start, in the words of launch and launch_ros but without importing them."""

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from picam_webrtc.declaration import Declaration, ParameterValue, Settings, written
from picam_webrtc.errors import PicamWebrtcError, SettingError
from picam_webrtc.paths import with_paths
from picam_webrtc.ros.launch.cameras_file import CamerasFile, read_cameras_file
from picam_webrtc.ros.launch.parameter_file import ParameterFile, node_parameters
from picam_webrtc.ros.launch.remaps import Rule, as_seen_from_outside
from picam_webrtc.ros.launch.unknown_arguments import complaints, is_started
from picam_webrtc.ros.process.packages import PACKAGE, package_share
from picam_webrtc.ros.process.yaml_file import parameter_documents
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
CAMERA_PARAMETERS = (
    *("source", "camera", "bag", "video_file", "width", "height", "frame_rate", "sensor_mode", "network"),
    *("model", "transform", "overlay"),
)
"""Node parameters that are arguments of the launch file that adds a camera, too."""
NODE_PARAMETERS = (*CAMERA_PARAMETERS, "host", "port", "token", "operator_token", "discover", "managed")
"""The same for the launch file of everything; all others are set through params_file."""
SMALL_MACHINE_CORES = 4
"""Up to here (every Raspberry Pi) the copies between processes cost more than their isolation is worth."""
IMAGE_TOPICS = {"processed": "image_processed", "raw": "image_raw"}
"""The streams of one camera and their topics."""
PUSHED_NAMESPACE, SET_REMAPS = "ros_namespace", "ros_remaps"
"""Where launch_ros keeps what PushRosNamespace and SetRemap have said, among the launch configurations."""


@dataclass(frozen=True, slots=True)
class Process:
    """One executable of ours. `parameters` are files, of which later ones win; the rest is as launch_ros takes it: a
    relative namespace is below the pushed one.
    """

    executable: str
    namespace: str
    parameters: tuple[str | ParameterFile, ...] = ()
    arguments: tuple[str, ...] = ()
    remappings: tuple[Rule, ...] = ()


def node_declaration(name: str, nodes: Iterable[str] = tuple(NODES)) -> Declaration | None:
    """The declaration of that parameter in the first of the nodes that has one."""
    return next((one for node in nodes for one in NODES[node].declarations() if one.name == name), None)


def launch_settings(given: Mapping[str, Any]) -> LaunchSettings:
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


def given_parameters(given: Mapping[str, Any], nodes: Iterable[str], names: Iterable[str]) -> dict[str, ParameterValue]:
    """Those of the node parameters `names` that the user gave as launch arguments and one of `nodes` declares."""
    found = {name: node_declaration(name, tuple(nodes)) for name in names if given.get(name)}
    return {name: typed(declared, given[name]) for name, declared in found.items() if declared is not None}


def is_composed(settings: LaunchSettings, cores: int | None = None) -> bool:
    if settings.composed == "auto":
        return (cores or os.cpu_count() or 1) <= SMALL_MACHINE_CORES
    return settings.composed == "true"


def params_files(settings: LaunchSettings) -> tuple[str, ...]:
    """That of the launch, which is there and is YAML, if it has one. Raises SettingError."""
    path = settings.params_file
    if not path:
        return ()
    try:
        parameter_documents(path)
    except PicamWebrtcError as error:
        raise SettingError("params_file", path, str(error)) from error
    return (path,)


def base_namespace(given: Mapping[str, Any], settings: LaunchSettings) -> str:
    """The full name of the namespace in which everything is launched; empty for the root.

    As launch_ros puts it together: an absolute namespace is not below the pushed one.
    """
    pushed = "" if settings.namespace.startswith("/") else given.get(PUSHED_NAMESPACE) or ""
    return _below(_below("", pushed), settings.namespace)


def _below(base: str, namespace: str) -> str:
    """The full name of `namespace` in `base`, which is a full name or empty."""
    return f"{base}/{namespace.strip('/')}" if namespace.strip("/") else base


def camera_streams(namespace: str, base: str = "") -> tuple[str, ...]:
    """The streams of the camera in `namespace` below `base`, as webrtc_node's parameter `streams` has them."""
    name = _name(namespace)
    return tuple(f"{name}_{stream}:={_below(base, namespace)}/{topic}" for stream, topic in IMAGE_TOPICS.items())


def _name(namespace: str) -> str:
    """As a word of its own: `/robot/front` is `robot_front`."""
    return namespace.strip("/").replace("/", "_")


def processes(given: Mapping[str, Any]) -> list[Process]:
    """All processes that the launch arguments ask for. Raises SettingError.

    `given` are launch's configurations: the arguments, and what launch_ros keeps there.
    """
    settings = launch_settings(given)
    base = base_namespace(given, settings)
    file = read_cameras_file(settings.cameras) if settings.cameras else None
    names = file.namespaces if file else ()
    cameras = tuple(_below(base, name) for name in names)
    files = (*_cameras_parameters(file, base), *params_files(settings))
    remappings = _remappings(given, cameras)
    web, places = f"{base}/webrtc_node", cameras or (base,)
    wanted = node_parameters({web: _wanted_of_web(settings, base, names)})
    recorder = _recorder(settings, places, remappings)
    if is_composed(settings):
        nodes = (f"{place}/{node}" for place in places for node in CAMERA_NODES)
        arguments = ("--cameras", *cameras) if cameras else ()
        parameters = (*wanted, *files, *_overriding(given, [*nodes, web]))
        return [Process("picam_webrtc", settings.namespace, parameters, arguments, remappings), *recorder]
    separate = [
        Process(node, place if cameras else settings.namespace, (*files, *_overriding(given, [f"{place}/{node}"])))
        for place in places
        for node in CAMERA_NODES
    ]
    parameters = (*wanted, *files, *_overriding(given, [web]))
    return [*separate, Process("webrtc_node", settings.namespace, parameters, (), remappings), *recorder]


def _remappings(given: Mapping[str, Any], cameras: Iterable[str]) -> tuple[Rule, ...]:
    """For nodes outside of the cameras' namespaces, what SetRemap has done within."""
    rules = given.get(SET_REMAPS) or ()
    return tuple(rule for camera in cameras for rule in as_seen_from_outside(rules, camera, CAMERA_NODES))


def _overriding(
    given: Mapping[str, Any], nodes: Iterable[str], names: Iterable[str] = NODE_PARAMETERS
) -> tuple[ParameterFile, ...]:
    """What the launch arguments say of the parameters of `nodes`, which are full names."""
    return node_parameters({node: given_parameters(given, [node.rpartition("/")[2]], names) for node in nodes})


def _cameras_parameters(file: CamerasFile | None, base: str) -> tuple[str | ParameterFile, ...]:
    if file is None:
        return ()
    return (file.path,) if file.is_complete and not base else (file.below(base),)


def _wanted_of_web(settings: LaunchSettings, base: str, cameras: Collection[str]) -> dict[str, ParameterValue]:
    """What the launch itself wants of webrtc_node; parameter files may say otherwise."""
    wanted: dict[str, ParameterValue] = {}
    if cameras:
        wanted["streams"] = tuple(stream for camera in cameras for stream in camera_streams(camera, base))
        nodes = (f"{_below(base, camera)}/{node}" for camera in cameras for node in CAMERA_NODES)
        wanted["controlled_nodes"] = (*nodes, "webrtc_node")
    if settings.record:
        wanted["encoded_topics"] = "compressed_image"
    return wanted


def _recorder(settings: LaunchSettings, namespaces: Iterable[str], remappings: tuple[Rule, ...]) -> list[Process]:
    if not settings.record:
        return []
    output = ("--output", settings.record_to) if settings.record_to else ()
    arguments = (*output, *recorded_topics(namespaces))
    return [Process("record", settings.namespace, (), arguments, remappings)]


def log_arguments(level: str) -> list[str]:
    """ROS arguments; at debug the middleware's own chatter stays out."""
    quiet = ["--log-level", "rcl:=info", "--log-level", "rmw_fastrtps_cpp:=info"] if level == "debug" else []
    return ["--log-level", level, *quiet]


def added_camera(given: Mapping[str, Any]) -> list[Process]:
    """The processes of one more camera, and the one that has `webrtc_node` serve it. Raises SettingError."""
    settings = launch_settings(given)
    base, pushed = base_namespace(given, settings), given.get(PUSHED_NAMESPACE) or ""
    name = _name(settings.namespace) or _name(base)
    if not name:
        raise SettingError("namespace", settings.namespace, "an added camera needs one, e.g. namespace:=rear")
    # Else it would have the calibration and the frame of the camera that is there already.
    named = node_parameters({f"{base}/camera_node": {"camera_name": name, "frame_id": f"{name}_optical_frame"}})
    files: tuple[str | ParameterFile, ...] = (*named, *params_files(settings))
    nodes = [
        Process(node, settings.namespace, (*files, *_overriding(given, [f"{base}/{node}"], CAMERA_PARAMETERS)))
        for node in CAMERA_NODES
    ]
    # Names as the camera has them: add_streams is beside it, under the same remaps.
    streams = (f"{name}_{stream}={topic}" for stream, topic in IMAGE_TOPICS.items())
    server = given["webrtc_node"]
    arguments = ("--to", server if server.startswith("/") else f"{_below('', pushed)}/{server}", *streams)
    return [*nodes, Process("add_streams", settings.namespace, (), arguments)]


def unknown_arguments(arguments: Sequence[str], declared: Collection[str], launch_file: str) -> list[str]:
    """What is to be said of those launch arguments that nobody declares; nothing in an included launch file.

    `arguments` as LaunchContext.argv has them.
    """
    if not is_started(Path(launch_file), PACKAGE, sys.argv):
        return []
    parameters = {one.name: node for node, settings in NODES.items() for one in settings.declarations()}
    return list(complaints(arguments, declared, parameters))


def node_actions(processes: Iterable[Process], settings: LaunchSettings) -> list[dict[str, Any]]:
    """For each process the arguments of launch_ros' Node."""
    return [
        {
            "package": PACKAGE,
            "executable": process.executable,
            # An empty one would become the root and override those that a process has in its code.
            "namespace": process.namespace or None,
            "parameters": [one if isinstance(one, str) else one.write() for one in process.parameters],
            "remappings": list(process.remappings),
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

"""Camera, inference and WebRTC: three processes, or one with composed:=true."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from picam_webrtc.settings import CameraSettings, Declaration, InferenceSettings, Settings, WebRtcSettings

NODES: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
}
PARAMETERS = ("source", "model", "transform", "port")
"""Node parameters that are launch arguments too; the others are set through params_file."""


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(_parameter_argument(name) for name in PARAMETERS),
            DeclareLaunchArgument("params_file", default_value="", description="YAML file with node parameters"),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of all nodes and topics"),
            DeclareLaunchArgument(
                "composed",
                default_value="false",
                choices=["true", "false"],
                description="all nodes in one process, where images are handed over without a copy",
            ),
            OpaqueFunction(function=_nodes),
        ]
    )


def _declaration(settings: type[Settings], name: str) -> Declaration | None:
    return next((one for one in settings.declarations() if one.name == name), None)


def _parameter_argument(name: str) -> DeclareLaunchArgument:
    """An argument that is empty unless the user gives it, so that it never hides a params_file."""
    declaration = next(one for one in (_declaration(settings, name) for settings in NODES.values()) if one)
    choices = {"choices": ["", *declaration.param.choices]} if declaration.param.choices else {}
    description = f"{declaration.param.description} (unless given: as in params_file, else {declaration.default})"
    return DeclareLaunchArgument(name, default_value="", description=description, **choices)


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    composed = given["composed"] == "true"
    executables = {"picam_webrtc": tuple(NODES)} if composed else {name: (name,) for name in NODES}
    return [
        Node(
            package="picam_webrtc",
            executable=executable,
            namespace=given["namespace"],
            parameters=[*_files(given), _overrides(given, names)],
            output="screen",
        )
        for executable, names in executables.items()
    ]


def _files(given: dict[str, str]) -> list[str]:
    return [given["params_file"]] if given["params_file"] else []


def _overrides(given: dict[str, str], nodes: tuple[str, ...]) -> dict[str, bool | int | float | str]:
    """The parameters among the arguments that the user gave and one of `nodes` declares, in their types."""
    overrides: dict[str, bool | int | float | str] = {}
    for name in PARAMETERS:
        declared = next((one for one in (_declaration(NODES[node], name) for node in nodes) if one), None)
        if declared and given[name]:
            overrides[name] = declared.type(given[name])
    return overrides

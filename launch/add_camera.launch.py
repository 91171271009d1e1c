"""One more camera for a webrtc_node that is running already: its nodes in a namespace, its streams on the page."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.logging import get_logger
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from picam_webrtc.ros import launching

LAUNCH_ARGUMENTS = ("params_file", "respawn", "respawn_delay", "log_level", "webrtc_node")
ARGUMENTS = [
    {
        "name": "namespace",
        "default_value": "",
        "description": "namespace of the camera, after which its streams are named; below a pushed one, if any",
    },
    *(launching.parameter_argument(name) for name in launching.CAMERA_PARAMETERS),
    *(launching.launch_argument(name) for name in LAUNCH_ARGUMENTS),
]


def generate_launch_description() -> LaunchDescription:
    declarations = (DeclareLaunchArgument(**argument) for argument in ARGUMENTS)
    return LaunchDescription([*declarations, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    names = [argument["name"] for argument in ARGUMENTS]
    for complaint in launching.unknown_arguments(context.argv, names, __file__):
        get_logger("add_camera.launch.py").warning(complaint)
    given = context.launch_configurations
    actions = launching.node_actions(launching.added_camera(given), launching.launch_settings(given))
    return [Node(**action) for action in actions]

"""One more camera for a webrtc_node that is running already: its nodes in a namespace, its streams on the page."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from picam_webrtc.ros import launching

LAUNCH_ARGUMENTS = ("params_file", "respawn", "respawn_delay", "log_level", "webrtc_node")


def generate_launch_description() -> LaunchDescription:
    arguments = [
        {"name": "namespace", "description": "namespace of the camera, after which its streams are named"},
        *(launching.parameter_argument(name) for name in launching.CAMERA_PARAMETERS),
        *(launching.launch_argument(name) for name in LAUNCH_ARGUMENTS),
    ]
    return LaunchDescription(
        [*(DeclareLaunchArgument(**argument) for argument in arguments), OpaqueFunction(function=_nodes)]
    )


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    actions = launching.node_actions(launching.added_camera(given), launching.launch_settings(given))
    return [Node(**action) for action in actions]

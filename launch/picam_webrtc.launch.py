"""Camera, inference and WebRTC: three processes or one, of one camera or several."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from picam_webrtc.ros import launching
from picam_webrtc.settings import LaunchSettings


def generate_launch_description() -> LaunchDescription:
    arguments = [
        *(launching.parameter_argument(name) for name in launching.NODE_PARAMETERS),
        *(launching.launch_argument(declared.name) for declared in LaunchSettings.declarations()),
    ]
    return LaunchDescription(
        [*(DeclareLaunchArgument(**argument) for argument in arguments), OpaqueFunction(function=_nodes)]
    )


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = context.launch_configurations
    actions = launching.node_actions(launching.processes(given), launching.launch_settings(given))
    return [Node(**action) for action in actions]

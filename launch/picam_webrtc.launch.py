"""Camera, inference and WebRTC: three processes or one, of one camera or several."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.logging import get_logger
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from picam_webrtc.ros import launching
from picam_webrtc.settings import LaunchSettings

ARGUMENTS = [
    *(launching.parameter_argument(name) for name in launching.NODE_PARAMETERS),
    *(launching.launch_argument(declared.name) for declared in LaunchSettings.declarations()),
]


def generate_launch_description() -> LaunchDescription:
    declarations = (DeclareLaunchArgument(**argument) for argument in ARGUMENTS)
    return LaunchDescription([*declarations, OpaqueFunction(function=_nodes)])


def _nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    names = [argument["name"] for argument in ARGUMENTS]
    for complaint in launching.unknown_arguments(context.argv, names, __file__):
        get_logger("picam_webrtc.launch.py").warning(complaint)
    given = context.launch_configurations
    actions = launching.node_actions(launching.processes(given), launching.launch_settings(given))
    return [Node(**action) for action in actions]

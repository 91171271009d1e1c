"""What a launch says of nodes' parameters is read by ROS as it was said, and wins over a file with a word for all."""

from pathlib import Path

import pytest
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.launch.parameter_file import node_parameters
from picam_webrtc_test.ros.support import running_node

pytestmark = pytest.mark.ros


def value(node: Node, name: str) -> object:
    node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True))
    found = node.get_parameter(name).value
    return tuple(found) if isinstance(found, list) else found


@pytest.mark.parametrize(
    "said",
    [
        *("12345", "1e3", "007", "0x1F", "yes", "null", "", "a: b", "'", '"', "{", "~", "Zürich"),
        *(7, 0.5, 1e-9, True, ("front:=/front/image_raw", "2")),
    ],
    ids=repr,
)
def test_ros_reads_what_was_said(said: ParameterValue) -> None:
    (file,) = node_parameters({"/robot/camera_node": {"said": said}})
    with running_node("camera_node", "-r", "__ns:=/robot", "--params-file", file.write()) as (_, node):
        found = value(node, "said")

    assert found == said
    assert type(found) is type(said)


def test_it_wins_over_a_file_that_speaks_of_all_nodes_and_of_that_one(tmp_path: Path) -> None:
    users = tmp_path / "users.yaml"
    users.write_text("/**: {ros__parameters: {width: 1}}\n/robot/camera_node: {ros__parameters: {width: 2}}")
    (file,) = node_parameters({"/robot/camera_node": {"width": 3}})
    files = ("--params-file", str(users), "--params-file", file.write())
    with running_node("camera_node", "-r", "__ns:=/robot", *files) as (_, node):
        assert value(node, "width") == 3


def test_of_nodes_of_which_nothing_is_said_there_is_no_file() -> None:
    assert node_parameters({"/camera_node": {}}) == ()

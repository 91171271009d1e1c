"""The executable `record`: an existing folder, and topics as its own ROS arguments name them."""

import os
import sys
from pathlib import Path

import pytest

from picam_webrtc_test.pipeline import node_process

pytestmark = pytest.mark.ros

FAKE_ROS2 = """#!/bin/sh
echo "$@"
"""
REMAPS = ("-r", "__ns:=/robot", "-r", "image_raw:=cam/image")


@pytest.fixture
def with_rosbag2(tmp_path: Path) -> dict[str, str]:
    """An environment in which rosbag2 seems to be installed, and `ros2` says what it was asked."""
    for package in ("ros2bag", "rosbag2_storage_mcap"):
        (tmp_path / "share" / package).mkdir(parents=True)
        index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
        index.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
    ros2 = tmp_path / "bin" / "ros2"
    ros2.parent.mkdir()
    ros2.write_text(FAKE_ROS2)
    ros2.chmod(0o755)
    return {
        "AMENT_PREFIX_PATH": f"{tmp_path}{os.pathsep}{os.environ.get('AMENT_PREFIX_PATH', sys.prefix)}",
        "PATH": f"{ros2.parent}{os.pathsep}{os.environ['PATH']}",
    }


def test_an_existing_folder_is_one_line(tmp_path: Path) -> None:
    with node_process("record", arguments=["--without-rosbag2", "--output", str(tmp_path)]) as record:
        assert record.wait() == 1

    (line,) = record.lines
    assert f"no recording: {tmp_path} exists already" in line
    assert "name a new folder" in line


def test_topics_are_those_of_its_namespace_and_remaps(tmp_path: Path) -> None:
    arguments = ["--without-rosbag2", "--output", str(tmp_path / "drive"), "image_raw/h264", "camera_info"]
    with (
        node_process("camera_node", {"source": "test_pattern"}, *REMAPS),
        node_process("record", None, *REMAPS, arguments=arguments) as record,
    ):
        record.wait_for_line("Recording /robot/cam/camera_info$")


def test_rosbag2_which_knows_nothing_of_our_ros_arguments_gets_full_names(
    with_rosbag2: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["--output", str(tmp_path / "drive"), "image_raw/h264", "camera_info", "/rosout"]
    with node_process("record", None, *REMAPS, arguments=arguments, environment=with_rosbag2) as record:
        assert record.wait() == 0

    assert record.lines[-1].startswith("bag record --storage mcap")
    assert record.lines[-1].endswith("--topics /robot/cam/image/h264 /robot/cam/camera_info /rosout")

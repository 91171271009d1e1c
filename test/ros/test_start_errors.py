"""A start that goes wrong is one line that names the node, also on /rosout; help is help wherever it is asked for."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rcl_interfaces.msg import Log

from picam_webrtc.entry import EXECUTABLES
from picam_webrtc_test.pipeline import ROOT, node_process
from picam_webrtc_test.ros.support import running_node, wait_until

pytestmark = pytest.mark.ros

OF_ROS = sorted(EXECUTABLES.keys() - {"list_cameras", "doctor"})
ARGUMENTS = {"add_streams": ["front=image_raw"], "record": ["--without-rosbag2", "--output", "/proc/none/bag"]}
NO_LOGS = {"HOME": "", "ROS_HOME": "", "ROS_LOG_DIR": "/proc/none"}


def started(name: str, *arguments: str, environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "resource/executables" / name), *ARGUMENTS.get(name, []), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PICAM_WEBRTC_PYTHON": sys.executable, **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def complaint_of(name: str, *arguments: str, environment: Mapping[str, str] = {}) -> str:
    """The one line with which it ends."""
    ended = started(name, *arguments, environment=environment)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("name", OF_ROS)
def test_a_bad_remap_is_one_line(name: str) -> None:
    complaint = complaint_of(name, "--ros-args", "-r", "image raw:=x")

    assert complaint.startswith(f"{name}: ROS arguments: Couldn't parse remap rule: '-r image raw:=x'.")
    assert complaint.endswith("; write -r FROM:=TO")


@pytest.mark.parametrize(
    ("arguments", "said", "remedy"),
    [
        (["-r", "__ns:=front"], "Couldn't parse remap rule: '-r __ns:=front'.", "as in -r __ns:=/front"),
        (["-p", "a:=[0, person]"], "Couldn't parse parameter override rule: '-p a:=[0, person]'.", "['0', 'dog']"),
        (["-p", "width=640"], "Couldn't parse parameter override rule: '-p width=640'.", "write -p NAME:=VALUE"),
        (["-p", "width:="], "Couldn't parse parameter override rule: '-p width:='", "write -p NAME:=VALUE"),
        (["--params-file", "/no/such.yaml"], "Couldn't parse params file: '--params-file /no/such.yaml'", ""),
        (["--log-level", "loud"], "Couldn't parse log level: '--log-level loud'.", "info, warn, error or fatal"),
        (["--help"], "['--help'] unknown", "come before --ros-args"),
    ],
    ids=["namespace", "list", "equals_sign", "no_value", "params_file", "log_level", "unknown"],
)
def test_so_are_other_bad_ros_arguments_with_what_to_write(arguments: list[str], said: str, remedy: str) -> None:
    complaint = complaint_of("camera_node", "--ros-args", *arguments)

    assert complaint.startswith(f"camera_node: ROS arguments: {said}")
    assert complaint.endswith(remedy)


def test_a_list_of_many_types_is_refused_with_how_to_write_it() -> None:
    complaint = complaint_of("inference_node", "--ros-args", "-p", "class_filter:=[0, dog]")

    assert complaint.endswith("; write the entries of a list alike, as [1.0, 2.5] or ['0', 'dog']")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        *((name, "a: [b: c", "ROS arguments: Couldn't parse params file") for name in OF_ROS),
        ("camera_node", "camera_node: {width: 640}", "ROS arguments: Couldn't parse params file"),
        ("camera_node", "just words", "has no parameters: it must have sections, named by nodes"),
    ],
)
def test_a_broken_parameter_file_is_one_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(text)

    complaint = complaint_of(name, "--ros-args", "--params-file", str(file))

    assert complaint.startswith(f"{name}: ")
    assert str(file) in complaint
    assert said in complaint


@pytest.mark.parametrize("name", OF_ROS)
def test_a_log_folder_that_cannot_be_made_is_one_line(name: str) -> None:
    complaint = complaint_of(name, environment=NO_LOGS)

    assert complaint.startswith(f"{name}: ROS cannot write its logs")
    assert complaint.endswith("set ROS_LOG_DIR to a folder in which this user may write")


@pytest.mark.parametrize("name", sorted(EXECUTABLES))
def test_help_is_help_and_needs_neither_a_camera_nor_ros(name: str) -> None:
    ended = started(name, "--help", environment=NO_LOGS)

    assert ended.returncode == 0
    assert ended.stdout.startswith(f"usage: {name} ")
    assert ended.stderr == ""


def test_a_nodes_help_has_its_parameters() -> None:
    shown = started("inference_node", "--help").stdout

    assert "--ros-args -p NAME:=VALUE" in shown
    assert "  threshold (0.5)\n      lowest score of a detection that is reported\n" in shown


@pytest.mark.parametrize("name", ["camera_node", "inference_node", "webrtc_node", "picam_webrtc"])
def test_a_parameter_outside_of_ros_arguments_is_refused_with_how_to_give_it(name: str) -> None:
    ended = started(name, "width:=640")

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        f"{name}: error: unrecognized arguments: width:=640; a parameter is given as --ros-args -p width:=640"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "code", "said"),
    [
        ("webrtc_node", ["--ros-args", "-p", "streams:=['a:=1b']"], 1, "parameter 'streams' = 'a:=1b': Invalid topic"),
        ("inference_node", ["--ros-args", "-p", "lores_topic:=1b"], 1, "parameter 'lores_topic' = '1b': Invalid topic"),
        ("picam_webrtc", ["--cameras", "a b"], 1, "node /a b/camera_node: Invalid namespace: "),
        ("add_streams", ["b=1c"], 2, "parameter 'streams' = 'b:=1c': Invalid topic name"),
        ("add_streams", ["--to", "1b"], 2, "argument --to: '1b' is no node's name: Invalid topic name"),
        ("record", ["1b"], 2, "argument topics: '1b': Invalid topic name"),
    ],
)
def test_a_name_that_ros_does_not_know_is_one_line(name: str, arguments: list[str], code: int, said: str) -> None:
    ended = started(name, *arguments)

    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert said in ended.stderr.splitlines()[-1]


def test_a_node_that_cannot_start_says_so_on_rosout_by_its_name() -> None:
    with running_node("listener") as (runtime, node):
        heard: list[Log] = []
        node.create_subscription(Log, "/rosout", heard.append, 100)
        runtime.spin()
        with node_process("camera_node", {"width": 0}, "-r", "__ns:=/front") as camera:
            assert camera.wait() == 1
            camera.wait_for_line(r"\[FATAL\] .*\[front\.camera_node\]: parameter 'width' = 0: must be from 64 to 9248")

        wait_until(lambda: any(one.name == "front.camera_node" and one.level == 50 for one in heard), "its last words")
    (words,) = (one.msg for one in heard if one.level == 50)
    assert words == "parameter 'width' = 0: must be from 64 to 9248"

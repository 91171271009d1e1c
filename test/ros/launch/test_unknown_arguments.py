"""A misspelt launch argument is named, with the one that was meant; not by a file that others include."""

from pathlib import Path

import pytest

from picam_webrtc.ros.launch.unknown_arguments import complaints, is_started

DECLARED = ("width", "height", "params_file")
PARAMETERS = {"width": "camera_node", "jpeg_quality": "camera_node"}


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("widht:=640", "widht:= is unknown and changes nothing; did you mean width:=?"),
        ("jpeg_qualty:=90", "jpeg_qualty:= is unknown and changes nothing; did you mean jpeg_quality:=?"),
        ("jpeg_quality:=90", "is not a launch argument: write that parameter of camera_node into params_file"),
        ("colour:=red", "colour:= is unknown and changes nothing; --show-args lists those that there are"),
    ],
)
def test_what_nobody_declares_is_named_with_what_may_have_been_meant(argument: str, said: str) -> None:
    (complaint,) = complaints(["width:=640", argument], DECLARED, PARAMETERS)

    assert said in complaint


@pytest.mark.parametrize("argument", ["params_file:=a:=b.yaml", "launch-prefix:=gdb", "sigterm_timeout:=20", "word"])
def test_of_what_is_declared_or_launchs_own_nothing_is_said(argument: str) -> None:
    assert list(complaints([argument], DECLARED, PARAMETERS)) == []


@pytest.mark.parametrize(
    ("words", "started"),
    [
        (("launch", "picam_webrtc", "a.launch.py", "width:=640"), True),
        (("launch", "--debug", "picam_webrtc", "a.launch.py"), True),
        (("launch", "{folder}/a.launch.py"), True),
        (("launch", "my_robot", "a.launch.py"), False),
        (("launch", "my_robot", "robot.launch.py", "file:=a.launch.py"), False),
        (("launch", "{folder}/robot.launch.py"), False),
        (("launch_test", "pipeline.py"), False),
    ],
)
def test_a_file_knows_whether_it_was_started_or_included(tmp_path: Path, words: tuple[str, ...], started: bool) -> None:
    launch_file = tmp_path / "a.launch.py"
    launch_file.touch()
    command = ["/opt/ros/bin/ros2", *(word.format(folder=tmp_path) for word in words)]

    assert is_started(launch_file, "picam_webrtc", command) is started

"""What was written on a command line and in its parameter files, for each node, as rcl takes it."""

from pathlib import Path

import pytest

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.process.overrides import Override, entries_of, overrides

FILE = """
/**:
  ros__parameters: {token: 0123, nothing: null, quoted: 'null', tilde: ~}
front:
  camera_node:
    ros__parameters:
      camera: 0
      class_filter: [0, 'dog', off]
      none: []
      qos_overrides:
        /image_raw:
          publisher: {depth: 5}
---
/front/camera_node:
  ros__parameters: {later: 1}
"""


def written(arguments: list[str], node: str) -> dict[str, object]:
    return {name: one.written for name, one in overrides(arguments).of(node).items()}


def test_values_stay_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(FILE)

    assert written(["camera_node", "--ros-args", "--params-file", str(file)], "/front/camera_node") == {
        "token": "0123",
        "nothing": None,
        "quoted": "null",
        "tilde": None,
        "camera": "0",
        "class_filter": ("0", "dog", "off"),
        "none": (),
        "qos_overrides./image_raw.publisher.depth": "5",
        "later": "1",
    }


def test_only_what_is_between_ros_args_and_two_dashes_counts() -> None:
    arguments = ["-p", "a:=1", "--ros-args", "-p", "b:=02", "--param", "c:=[x]", "--", "-p", "d:=4"]

    assert written(arguments, "/any") == {"b": "02", "c": ("x",)}


@pytest.mark.parametrize(
    ("section", "node", "concerns", "names"),
    [
        ("/camera_node", "/camera_node", True, True),
        ("/camera_node", "/front/camera_node", False, False),
        ("/**", "/front/camera_node", True, False),
        ("/*", "/camera_node", True, False),
        ("/*", "/front/camera_node", False, False),
        ("/front/*", "/front/camera_node", True, False),
        ("/*/camera_node", "/front/camera_node", True, True),
        ("/**/camera_node", "/camera_node", True, True),
    ],
)
def test_a_section_is_for_the_nodes_that_its_wildcards_match(
    section: str, node: str, concerns: bool, names: bool
) -> None:
    """As node.cpp of rclpy has it: `/*` is one name, `/**` any number of them."""
    override = Override(section, "width", "640", "robot.yaml")

    assert (override.concerns(node), override.names(node)) == (concerns, names)


def test_the_last_section_to_come_first_wins() -> None:
    arguments = ["--ros-args", "-p", "a:=1", "-p", "toy:a:=2", "-p", "a:=3"]

    assert written(arguments, "/toy") == {"a": "2"}
    assert written(arguments, "/other") == {"a": "3"}


def test_a_file_of_words_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("words")

    with pytest.raises(PicamWebrtcError, match="has no parameters"):
        overrides(["--ros-args", "--params-file", str(file)])


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("[1.5, 2]", ([1.5, 2], ("1.5", "2"))),
        ("[010, dog]", ([8, "dog"], ("010", "dog"))),
        ("cat", None),
        ("[", None),
        ("[[1]]", None),
    ],
)
def test_a_list_in_a_text_is_taken_apart(text: str, entries: object) -> None:
    assert entries_of(text) == entries

"""A file of cameras: every way in which ROS lets one write a node's name, and nodes that are launched elsewhere."""

from pathlib import Path

import pytest
import yaml

from picam_webrtc.errors import SettingError
from picam_webrtc.ros.launch.cameras_file import CamerasFile, read_cameras_file

FLAT = "/front/camera_node: {ros__parameters: {width: 96}}"
BY_NAMESPACE = "/front: {camera_node: {ros__parameters: {width: 96}}, inference_node: {ros__parameters: {}}}"
NESTED = "/robot: {front: {camera_node: {ros__parameters: {width: 96}}}}"
HALF_FLAT = "/robot/front: {camera_node: {ros__parameters: {width: 96}}}"
WITHOUT_SLASH = "front: {camera_node: {ros__parameters: {width: 96}}}"
WITHOUT_PARAMETERS = "/front: {camera_node: }"
WITH_ALL = "/**: {ros__parameters: {width: 96}}\n/front: {camera_node: {ros__parameters: {}}}"


def cameras_file(folder: Path, text: str) -> CamerasFile:
    path = folder / "cameras.yaml"
    path.write_text(text)
    return read_cameras_file(str(path))


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        (FLAT, "/front"),
        (BY_NAMESPACE, "/front"),
        (NESTED, "/robot/front"),
        (HALF_FLAT, "/robot/front"),
        (WITHOUT_SLASH, "/front"),
        (WITHOUT_PARAMETERS, "/front"),
        (WITH_ALL, "/front"),
    ],
)
def test_a_camera_is_found_however_its_name_is_written(tmp_path: Path, text: str, namespace: str) -> None:
    assert cameras_file(tmp_path, text).namespaces == (namespace,)


def test_every_document_of_the_file_is_read_as_ros_does(tmp_path: Path) -> None:
    file = cameras_file(tmp_path, f"{FLAT}\n---\n/rear/camera_node: {{ros__parameters: {{width: 96}}}}")

    assert file.namespaces == ("/front", "/rear")
    assert len(yaml.safe_load(file.below("/robot1").text)) == 2


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (FLAT, "/robot1/front/camera_node"),
        (NESTED, "/robot1/robot/front/camera_node"),
        (WITHOUT_SLASH, "/robot1/front/camera_node"),
        ("/webrtc_node: {ros__parameters: {port: 1}}", "/robot1/webrtc_node"),
        ("/*/camera_node: {ros__parameters: {width: 96}}", "/robot1/*/camera_node"),
        ("/**: {ros__parameters: {width: 96}}", "/**"),
        ("/**: {camera_node: {ros__parameters: {width: 96}}}", "/**/camera_node"),
    ],
)
def test_below_a_namespace_all_names_are_but_those_for_every_namespace(tmp_path: Path, text: str, name: str) -> None:
    assert list(yaml.safe_load(cameras_file(tmp_path, text).below("/robot1").text)) == [name]


def test_the_file_that_is_written_has_the_name_of_the_users(tmp_path: Path) -> None:
    written = Path(cameras_file(tmp_path, FLAT).below("/robot1").write())

    assert written.name.startswith("launch_params_cameras_")  # a warning of a wrong name in it tells that name


@pytest.mark.parametrize("scalar", ["'12345'", '"1e3"', "1e3", "007", "yes", "'yes'", "[1, 2]", "null"])
def test_written_again_a_value_is_spelled_as_it_was(tmp_path: Path, scalar: str) -> None:
    text = f"/front/camera_node: {{ros__parameters: {{value: {scalar}}}}}"

    assert f"value: {scalar}}}" in cameras_file(tmp_path, text).below("/robot1").text


def test_an_entry_without_parameters_which_ros_does_not_read_is_left_out(tmp_path: Path) -> None:
    file = cameras_file(tmp_path, f"{WITHOUT_PARAMETERS}\n/rear/camera_node: {{ros__parameters: {{width: 96}}}}")

    assert not file.is_complete
    assert list(yaml.safe_load(file.below("").text)) == ["/rear/camera_node"]
    assert file.namespaces == ("/front", "/rear")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must have a section for each camera"),
        ("- front", "must have a section for each camera"),
        ("/**: {camera_node: {ros__parameters: {}}}", "must have a section for each camera"),
        ("/**/camera_node: {ros__parameters: {}}", "must have a section for each camera"),
        ("/camera_node: {ros__parameters: {}}", "named by its namespace"),
        ("{", "cannot be read as YAML"),
    ],
)
def test_a_file_without_a_camera_in_a_namespace_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        assert cameras_file(tmp_path, text).namespaces

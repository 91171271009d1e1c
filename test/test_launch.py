"""The launch files: what they declare, start and say. test/ros/test_launched_cameras.py looks at the graph of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from picam_webrtc.declaration import Settings
from picam_webrtc.errors import SettingError
from picam_webrtc.ros import launching
from picam_webrtc.settings import (
    AddedCameraSettings,
    CameraSettings,
    InferenceSettings,
    LaunchSettings,
    WebRtcSettings,
)
from picam_webrtc_test.ros.launch_stand_in import (
    LaunchContext,
    Launched,
    Node,
    PushRosNamespace,
    SetRemap,
    started_by,
)

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
}
CAMERAS = ROOT / "config" / "cameras.yaml"
EXECUTABLES = {path.name for path in (ROOT / "resource" / "executables").iterdir()}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    return Launched("picam_webrtc.launch.py", monkeypatch)


@pytest.fixture
def adding(monkeypatch: pytest.MonkeyPatch) -> Launched:
    return Launched("add_camera.launch.py", monkeypatch)


def parameters(node: Node) -> list[Any]:
    """The node's parameter files: what is in those that the launch has written, by full name, and paths of others."""
    return [sections(path) if Path(path).name.startswith("launch_params_") else path for path in node.parameters]


def sections(path: str) -> dict[str, Any]:
    return {name: entry["ros__parameters"] for name, entry in yaml.safe_load(Path(path).read_text()).items()}


def test_every_argument_is_described(launched: Launched, adding: Launched) -> None:
    assert {"source", "model", "transform", "port", "composed", "namespace", "params_file"} <= launched.arguments.keys()
    for argument in (*launched.arguments.values(), *adding.arguments.values()):
        assert argument.description


def test_an_argument_with_choices_offers_those_of_its_parameter(launched: Launched) -> None:
    declared = {one.name: one.param.choices for one in CameraSettings.declarations()}

    assert launched.arguments["source"].choices == ["", *declared["source"]]
    assert launched.arguments["discover"].choices == ["", "true", "false"]
    assert launched.arguments["record"].choices == ["true", "false"]


def test_an_arguments_default_is_the_one_in_the_settings(launched: Launched, adding: Launched) -> None:
    assert adding.arguments["webrtc_node"].default_value == AddedCameraSettings().webrtc_node
    for declared in LaunchSettings.declarations():
        shown = launched.arguments[declared.name].default_value
        assert shown == (str(declared.default).lower() if declared.type is bool else str(declared.default))


def test_three_processes_or_one(launched: Launched) -> None:
    assert launched.by_executable(composed="false").keys() == SETTINGS.keys()
    assert launched.by_executable(composed="true").keys() == {"picam_webrtc"}


@pytest.mark.parametrize(("cores", "composed"), [(1, True), (4, True), (8, False)])
def test_one_process_is_the_default_on_small_machines(cores: int, composed: bool) -> None:
    assert launching.is_composed(LaunchSettings(), cores) is composed


@pytest.mark.parametrize("composed", ["false", "true"])
def test_what_is_launched_exists_in_this_package(launched: Launched, adding: Launched, composed: str) -> None:
    for node in [*launched.nodes(composed=composed, record="true"), *adding.nodes(namespace="rear")]:
        assert node.package == "picam_webrtc"
        assert node.executable in EXECUTABLES


def test_arguments_reach_the_nodes_that_declare_them_in_their_types(launched: Launched) -> None:
    nodes = launched.by_executable(
        composed="false", source="test_pattern", port="8090", transform="none", namespace="front", managed="true"
    )

    assert parameters(nodes["camera_node"]) == [{"/front/camera_node": {"source": "test_pattern", "managed": True}}]
    assert parameters(nodes["inference_node"]) == [{"/front/inference_node": {"transform": "none", "managed": True}}]
    assert parameters(nodes["webrtc_node"]) == [{"/front/webrtc_node": {"port": 8090, "managed": True}}]
    assert {node.namespace for node in nodes.values()} == {"front"}


def test_the_one_process_gets_all_of_them(launched: Launched) -> None:
    nodes = launched.by_executable(composed="true", source="test_pattern", port="8090")

    (given,) = parameters(nodes["picam_webrtc"])
    assert given == {"/camera_node": {"source": "test_pattern"}, "/webrtc_node": {"port": 8090}}


def test_an_argument_wins_over_the_parameter_file_and_hides_nothing_when_absent(
    launched: Launched, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.touch()

    def of_camera(**given: str) -> list[Any]:
        nodes = launched.by_executable(composed="false", params_file=str(mine), **given)
        return parameters(nodes["camera_node"])

    assert of_camera(source="test_pattern") == [str(mine), {"/camera_node": {"source": "test_pattern"}}]
    assert of_camera() == [str(mine)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, r"'params_file' = '.*/mine\.yaml': cannot be read: No such file or directory"),
        ("{", "cannot be read as YAML"),
        ("camera_node", "has no parameters: it must have sections, named by nodes"),
        ("/**: {ros__parameters: {width: 96}}\n---\n", "has no parameters: it must have sections, named by nodes"),
    ],
)
def test_a_parameter_file_that_is_none_is_refused_and_nothing_starts(
    launched: Launched, adding: Launched, tmp_path: Path, text: str | None, complaint: str
) -> None:
    mine = tmp_path / "mine.yaml"
    if text is not None:
        mine.write_text(text)

    for file in (launched, adding):
        with pytest.raises(SettingError, match=complaint):
            file.nodes(params_file=str(mine), namespace="front")


@pytest.mark.parametrize("named", ["~/mine.yaml", "$ROBOT/mine.yaml", "${ROBOT}/mine.yaml", "robot/mine.yaml"])
def test_paths_of_the_launch_are_taken_as_people_write_them(
    launched: Launched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    home = tmp_path / "robot"
    home.mkdir()
    (home / "mine.yaml").write_text("{front: {camera_node: {ros__parameters: {width: 640}}}}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ROBOT", str(home))

    nodes = launched.by_executable(composed="false", params_file=named, cameras=named, record="true", record_to=named)

    assert nodes["camera_node"].parameters[:2] == [str(home / "mine.yaml")] * 2
    assert nodes["record"].arguments[:2] == ["--output", str(home / "mine.yaml")]


def test_our_own_cameras_file_is_found_by_its_package(launched: Launched) -> None:
    nodes = launched.nodes(composed="true", cameras="package://picam_webrtc/config/cameras.yaml")

    assert any(str(parameters).endswith("config/cameras.yaml") for parameters in nodes[0].parameters)


def test_a_package_that_is_not_there_is_named(launched: Launched) -> None:
    with pytest.raises(SettingError, match=r"'package://no_such/a\.yaml': there is no ROS package no_such"):
        launched.nodes(params_file="package://no_such/a.yaml")


def test_respawn_and_log_level_reach_every_process(launched: Launched) -> None:
    nodes = launched.nodes(composed="false", respawn="true", respawn_delay="0.5", log_level="debug")

    assert all(node.respawn and node.respawn_delay == 0.5 for node in nodes)
    assert all(node.ros_arguments[:2] == ["--log-level", "debug"] for node in nodes)


def test_every_namespace_of_the_cameras_file_is_a_camera_and_all_are_on_one_page(launched: Launched) -> None:
    nodes = launched.nodes(composed="false", cameras=str(CAMERAS))

    cameras = [(node.namespace, node.executable) for node in nodes if node.executable != "webrtc_node"]
    assert cameras == [
        (namespace, executable) for namespace in ("/front", "/rear") for executable in ("camera_node", "inference_node")
    ]
    (web,) = (node for node in nodes if node.executable == "webrtc_node")
    assert parameters(web)[0]["/webrtc_node"] == {
        "streams": [
            "front_processed:=/front/image_processed",
            "front_raw:=/front/image_raw",
            "rear_processed:=/rear/image_processed",
            "rear_raw:=/rear/image_raw",
        ],
        "controlled_nodes": [
            "/front/camera_node", "/front/inference_node", "/rear/camera_node", "/rear/inference_node", "webrtc_node",
        ],
    }  # fmt: skip
    assert all(str(CAMERAS) in node.parameters for node in nodes)


def test_several_cameras_in_one_process(launched: Launched) -> None:
    (node,) = launched.nodes(composed="true", cameras=str(CAMERAS))

    assert node.arguments == ["--cameras", "/front", "/rear"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must have a section for each camera"),
        ("{", "cannot be read as YAML"),
        ("/**: {camera_node: {}}", "must have"),
    ],
)
def test_a_file_without_cameras_is_refused(launched: Launched, tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)

    with pytest.raises(SettingError, match=complaint):
        launched.nodes(cameras=str(path))


def test_a_missing_cameras_file_is_named(launched: Launched) -> None:
    with pytest.raises(SettingError, match=r"/no/such\.yaml"):
        launched.nodes(cameras="/no/such.yaml")


def test_recording_publishes_coded_video_and_takes_that_of_every_camera(launched: Launched) -> None:
    nodes = launched.by_executable(composed="false", cameras=str(CAMERAS), record="true", record_to="drive")

    assert parameters(nodes["webrtc_node"])[0]["/webrtc_node"]["encoded_topics"] == "compressed_image"
    assert nodes["record"].arguments[:2] == ["--output", str(Path.cwd() / "drive")]
    assert {"/front/image_processed/h264", "/rear/camera_info", "/rosout"} <= set(nodes["record"].arguments)
    assert not any(topic.endswith("image_raw") for topic in nodes["record"].arguments)


def test_a_namespace_that_is_not_given_is_no_argument_of_launch_ros(launched: Launched) -> None:
    for composed in ("true", "false"):
        nodes = launched.nodes(composed=composed, cameras=str(CAMERAS))
        assert [node.namespace for node in nodes if node.executable in {"picam_webrtc", "webrtc_node"}] == [None]


@pytest.mark.parametrize(
    ("actions", "given", "base"),
    [
        ((), {}, ""),
        ((), {"namespace": "robot1"}, "/robot1"),
        ((PushRosNamespace("robot1"),), {}, "/robot1"),
        ((PushRosNamespace("fleet"), PushRosNamespace("robot1")), {}, "/fleet/robot1"),
        ((PushRosNamespace("fleet"),), {"namespace": "robot1"}, "/fleet/robot1"),
        ((PushRosNamespace("fleet"),), {"namespace": "/robot1"}, "/robot1"),
    ],
)
def test_cameras_are_below_the_namespace_that_launch_ros_makes(
    launched: Launched, actions: tuple[Any, ...], given: dict[str, str], base: str
) -> None:
    (one,) = launched.nodes(*actions, composed="true", cameras=str(CAMERAS), **given)
    assert one.arguments == ["--cameras", f"{base}/front", f"{base}/rear"]
    streams = parameters(one)[0][f"{base}/webrtc_node"]["streams"]
    assert streams[0] == f"front_processed:={base}/front/image_processed"

    nodes = launched.nodes(*actions, composed="false", cameras=str(CAMERAS), **given)
    assert {node.namespace for node in nodes if node.executable == "camera_node"} == {f"{base}/front", f"{base}/rear"}


def test_below_a_namespace_the_parameters_of_the_cameras_are_for_nodes_there(launched: Launched) -> None:
    (one,) = launched.nodes(PushRosNamespace("robot1"), composed="true", cameras=str(CAMERAS))

    of_cameras = parameters(one)[1]
    assert of_cameras["/robot1/rear/camera_node"]["frame_id"] == "rear_optical_frame"
    assert of_cameras["/robot1/webrtc_node"] == {"bitrate": 1500000}


def test_remaps_for_all_are_told_to_those_outside_of_the_cameras_namespaces(launched: Launched) -> None:
    nodes = launched.by_executable(
        SetRemap("image_raw", "cam/image"), composed="false", cameras=str(CAMERAS), record="true"
    )

    told = [("/front/image_raw", "/front/cam/image"), ("/rear/image_raw", "/rear/cam/image")]
    assert nodes["webrtc_node"].remappings == nodes["record"].remappings == told
    assert nodes["camera_node"].remappings == []


def test_what_is_looked_for_first_is_an_argument(launched: Launched, adding: Launched) -> None:
    of_a_camera = {"width", "height", "frame_rate", "camera", "sensor_mode"}
    assert of_a_camera | {"token", "operator_token"} <= launched.arguments.keys()
    assert of_a_camera <= adding.arguments.keys()

    given = {"width": "640", "frame_rate": "15", "camera": "0", "sensor_mode": "full", "token": "007"}
    nodes = launched.by_executable(composed="false", **given)
    assert parameters(nodes["camera_node"]) == [
        {"/camera_node": {"camera": "0", "width": 640, "frame_rate": 15.0, "sensor_mode": "full"}}
    ]
    assert parameters(nodes["webrtc_node"]) == [{"/webrtc_node": {"token": "007"}}]


@pytest.mark.parametrize("token", ["12345", "1e3", "0x1F", "yes", "null", "a: b", "'", "{", "%"])
def test_a_text_stays_the_text_that_was_given(launched: Launched, token: str) -> None:
    """In quotes also for ROS's parser, which looks for numbers where there are none (rcl's parse.c, get_value())."""
    node = launched.by_executable(composed="false", token=token)["webrtc_node"]

    assert parameters(node) == [{"/webrtc_node": {"token": token}}]
    assert f'"token": "{token}"' in Path(node.parameters[0]).read_text()


@pytest.mark.parametrize("name", ["picam_webrtc.launch.py", "add_camera.launch.py"])
def test_an_argument_that_nobody_declares_is_warned_of(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    launched = Launched(name, monkeypatch)
    started_by(monkeypatch, "picam_webrtc", name, "widht:=640")
    launched.launch(LaunchContext(["namespace:=rear", "widht:=640"]), namespace="rear", widht="640")

    assert launched.logger.warnings == ["widht:= is unknown and changes nothing; did you mean width:=?"]


def test_an_included_launch_file_says_nothing_of_its_parents_arguments(
    launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_by(monkeypatch, "my_robot", "robot.launch.py", "arm:=left", "widht:=3")
    launched.launch(LaunchContext(["arm:=left", "widht:=3"]), arm="left", widht="3")

    assert launched.logger.warnings == []


def test_an_added_camera_needs_a_namespace_given_or_pushed(adding: Launched) -> None:
    with pytest.raises(SettingError, match="namespace:=rear"):
        adding.nodes()

    (named,) = parameters(adding.by_executable(PushRosNamespace("rear"))["camera_node"])
    assert named["/rear/camera_node"]["camera_name"] == "rear"


@pytest.mark.parametrize(
    ("actions", "given", "server"),
    [
        ((), {}, "/webrtc_node"),
        ((PushRosNamespace("robot1"),), {}, "/robot1/webrtc_node"),
        ((PushRosNamespace("robot1"),), {"webrtc_node": "/webrtc_node"}, "/webrtc_node"),
    ],
)
def test_an_added_camera_is_served_by_the_webrtc_node_of_the_pushed_namespace(
    adding: Launched, actions: tuple[Any, ...], given: dict[str, str], server: str
) -> None:
    nodes = adding.by_executable(*actions, namespace="rear", **given)

    assert nodes["add_streams"].arguments[:2] == ["--to", server]


def test_an_added_camera_gets_its_namespace_and_its_streams_a_place_on_the_page(adding: Launched) -> None:
    nodes = adding.by_executable(namespace="rear", source="test_pattern", webrtc_node="/robot/webrtc_node")

    assert parameters(nodes["camera_node"]) == [
        {"/rear/camera_node": {"camera_name": "rear", "frame_id": "rear_optical_frame"}},
        {"/rear/camera_node": {"source": "test_pattern"}},
    ]
    assert {node.namespace for node in nodes.values()} == {"rear"}
    assert nodes["add_streams"].arguments == [
        "--to", "/robot/webrtc_node", "rear_processed=image_processed", "rear_raw=image_raw",
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_key_of_a_shipped_parameter_file_is_declared_and_its_value_allowed(path: Path) -> None:
    for node, entry in node_entries(yaml.safe_load(path.read_text())):
        SETTINGS[node].from_values(entry["ros__parameters"])


def node_entries(sections: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in sections.items():
        if "ros__parameters" in entry:
            yield name.strip("/"), entry
        else:
            yield from node_entries(entry)


def test_under_launch_testing_both_shapes_work() -> None:
    pytest.importorskip("launch_testing", reason="launch and launch_ros come with a ROS installation only")
    pytest.importorskip("launch_ros", reason="launch and launch_ros come with a ROS installation only")
    test_file = ROOT / "test" / "launch" / "pipeline_launch_test.py"
    subprocess.run([sys.executable, "-m", "launch_testing.launch_test", test_file], check=True, timeout=120)

"""Parameters as people write them, in files, on the command line and by `ros2 param set`, are what was meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rclpy.parameter import Parameter

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.errors import SettingError
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.settings import CameraSettings, InferenceSettings, WebRtcSettings
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.param_command import ParamCommand
from picam_webrtc_test.ros.support import running_node

pytestmark = pytest.mark.ros

CAMERA = "picam_webrtc_test.ros.fake_camera_node"
SMALL: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0}
READY = {CAMERA: "Ready", "inference_node": "Ready", "webrtc_node": "The page is at", "picam_webrtc": "The page is at"}


@pytest.fixture
def command() -> Iterator[ParamCommand]:
    with running_node("operator") as (runtime, node):
        runtime.spin()
        yield ParamCommand(node)


def settings_of(settings: type[Any], *arguments: str) -> Any:
    with running_node("toy", *arguments) as (runtime, node):
        return NodeParameters(node, settings, runtime.overrides).settings


@pytest.mark.parametrize(
    ("settings", "name", "text", "meant"),
    [
        (WebRtcSettings, "tls", "off", "off"),
        (WebRtcSettings, "tls", "no", "off"),
        (WebRtcSettings, "encoded_topics", "off", "off"),
        (WebRtcSettings, "token", "12345", "12345"),
        (WebRtcSettings, "token", "012345", "012345"),
        (WebRtcSettings, "token", "1e5", "1e5"),
        (WebRtcSettings, "token", "0x1F", "0x1F"),
        (WebRtcSettings, "token", "089", "089"),
        (WebRtcSettings, "token", "nan", "nan"),
        (WebRtcSettings, "token", "yes", "yes"),
        (WebRtcSettings, "token", "'null'", "null"),
        (WebRtcSettings, "token", "null", ""),
        (WebRtcSettings, "token", "~", ""),
        (CameraSettings, "camera", "0", "0"),
        (CameraSettings, "hdr", "on", "on"),
        (CameraSettings, "hdr", "off", "off"),
        (CameraSettings, "frame_rate", "15", 15.0),
        (CameraSettings, "crop", "2.5", "2.5"),
        (InferenceSettings, "class_filter", "[]", ()),
        (InferenceSettings, "class_filter", "['']", ()),
        (InferenceSettings, "class_filter", "[0, 2]", ("0", "2")),
        (InferenceSettings, "class_filter", "[person, dog]", ("person", "dog")),
    ],
)
def test_on_the_command_line_and_in_a_file_they_mean_the_same(
    tmp_path: Path, settings: type[Any], name: str, text: str, meant: object
) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(f"toy:\n  ros__parameters:\n    {name}: {text}\n")

    assert getattr(settings_of(settings, "-p", f"{name}:={text}"), name) == meant
    assert getattr(settings_of(settings, "--params-file", str(file)), name) == meant


def test_the_text_is_that_of_the_value_that_wins(tmp_path: Path) -> None:
    """By rcl sections take their turns as they first come, on the command line or in a file."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("/**:\n  ros__parameters: {token: 01, host: 02}\n/toy:\n  ros__parameters: {host: 03}\n")
    second.write_text("/*:\n  ros__parameters: {operator_token: 04}\n/other:\n  ros__parameters: {token: 05}\n")
    files = ("--params-file", str(first), "--params-file", str(second))

    given = settings_of(WebRtcSettings, *files, "-p", "token:=06", "-p", "toy:turn_secret:=07", "-p", "host:=08")

    texts = (given.token, given.host, given.operator_token, given.turn_secret)
    assert texts == ("06", "03", "04", "07")


def test_a_value_that_no_text_can_be_is_refused() -> None:
    with pytest.raises(SettingError, match="'token' = None: must be of type str"):
        settings_of(WebRtcSettings, "-p", "token:=[]")


def test_a_node_keeps_a_path_as_it_was_written_and_uses_the_absolute_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT", "/srv/robot")
    with running_node("toy", "-p", "labels:=$ROBOT/labels.txt", "-p", "model:=model.tflite") as (runtime, node):
        parameters = NodeParameters(node, InferenceSettings, runtime.overrides)
        before = parameters.settings.labels
        (result,) = node.set_parameters([Parameter("labels", value="package://picam_webrtc/labels.txt")])
        after = parameters.settings.labels
        written = node.get_parameter("labels").value
        (refused,) = node.set_parameters([Parameter("labels", value="package://no_such/labels.txt")])

    assert before == "/srv/robot/labels.txt"
    assert result.successful
    assert written == "package://picam_webrtc/labels.txt"
    assert after.endswith("/labels.txt")
    assert "package" not in after
    assert refused.reason == "parameter 'labels' = 'package://no_such/labels.txt': there is no ROS package no_such"


def test_a_film_is_found_in_the_home_folder_by_a_running_node(tmp_path: Path, command: ParamCommand) -> None:
    (tmp_path / "still.png").write_bytes((Path(__file__).parents[2] / "docs/pictures/light.png").read_bytes())
    parameters: dict[str, ParameterValue] = {"source": "video_file", "video_file": "~/still.png"}
    with node_process("camera_node", parameters, environment={"HOME": str(tmp_path)}) as node:
        node.wait_for_line(f"Ready: publishes image_raw from .*{tmp_path}/still.png")

        assert command.get("/camera_node", "video_file") == "~/still.png"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("class_filter", "[]", []),
        ("class_filter", "['']", []),
        ("class_filter", "[0, 2]", ["0", "2"]),
        ("class_filter", "[0, person]", ["0", "person"]),
        ("class_filter", "[person]", ["person"]),
        ("threshold", "1", 1.0),
        ("threshold", "0.25", 0.25),
        ("labels", '"12"', "12"),
        ("min_rate", "5", 5.0),
    ],
)
def test_ros2_param_set_takes_what_is_meant(name: str, text: str, value: object) -> None:
    with running_node("toy", "-p", "class_filter:=[cat]") as (runtime, node):
        NodeParameters(node, InferenceSettings, runtime.overrides)
        runtime.spin()
        command = ParamCommand(node)

        assert command.set("/toy", name, text).successful
        assert command.get("/toy", name) == value


@pytest.mark.parametrize(
    ("name", "text"), [("model", "12"), ("threshold", "true"), ("max_detections", "1.5"), ("class_filter", "cat")]
)
def test_ros2_param_set_refuses_what_nothing_is_meant_by(name: str, text: str) -> None:
    with running_node("toy") as (runtime, node):
        parameters = NodeParameters(node, InferenceSettings, runtime.overrides)
        runtime.spin()

        assert not ParamCommand(node).set("/toy", name, text).successful
        assert parameters.settings == InferenceSettings()


def test_a_whole_number_out_of_range_is_refused_by_the_range() -> None:
    with running_node("toy") as (runtime, node):
        parameters = NodeParameters(node, InferenceSettings, runtime.overrides)
        runtime.spin()
        command = ParamCommand(node)

        whole = command.set("/toy", "threshold", "2")
        assert not whole.successful
        assert "range" in whole.reason
        assert whole.reason == command.set("/toy", "threshold", "2.0").reason
        assert parameters.settings == InferenceSettings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ExposureValue", "1", 1.0),
        ("ColourGains", "[2, 3]", [2.0, 3.0]),
        ("ColourGains", "[1.5, 2]", [1.5, 2.0]),
        ("ColourGains", "[]", []),
        ("ScalerCrop", "[768, 432, 1536, 864]", [768, 432, 1536, 864]),
    ],
)
def test_a_whole_number_is_a_good_float_for_a_control(
    command: ParamCommand, name: str, text: str, value: object
) -> None:
    with node_process(CAMERA, {"source": "picamera2"}) as camera:
        camera.wait_for_line("Ready")

        result = command.set("/camera_node", name, text)
        assert result.successful, result.reason
        assert command.get("/camera_node", name) == value


@pytest.mark.parametrize("nothing", ["None", "null"])
def test_nothing_leaves_a_control_to_the_camera(command: ParamCommand, nothing: str) -> None:
    with node_process(CAMERA, {"source": "picamera2"}) as camera:
        camera.wait_for_line("Ready")
        assert command.set("/camera_node", "ColourTemperature", "4000").successful

        assert command.set("/camera_node", "ColourTemperature", nothing).successful
        assert command.get("/camera_node", "ColourTemperature") is None
        assert command.set("/camera_node", "ColourTemperature", nothing).successful


@pytest.mark.parametrize(
    ("module", "parameters", "changes"),
    [
        (
            CAMERA,
            {"source": "picamera2", "camera": "0", "crop": "2.0"},
            {"ExposureTime": "5000", "ColourGains": "[2, 2.5]", "Brightness": "0.25", "jpeg_quality": "70"},
        ),
        ("inference_node", {"transform": "none"}, {"class_filter": "[0, 2]", "delegate_options": "[]"}),
        (
            "webrtc_node",
            {"port": 0, "tls": "off", "token": "01234567", "turn_password": "1e5", "ice_servers": ()},
            {"mjpeg_frame_rate": "5"},
        ),
    ],
    ids=["camera_node", "inference_node", "webrtc_node"],
)
def test_a_dump_loads_again_and_dumps_the_same(
    command: ParamCommand, tmp_path: Path, module: str, parameters: dict[str, ParameterValue], changes: dict[str, str]
) -> None:
    target, file = f"/{module.rpartition('fake_')[2]}", tmp_path / "dump.yaml"
    with node_process(module, parameters) as node:
        node.wait_for_line(READY[module])
        for name, text in changes.items():
            result = command.set(target, name, text)
            assert result.successful, result.reason
        file.write_text(command.dump(target))

    with node_process(module, {}, "--params-file", str(file)) as node:
        node.wait_for_line(READY[module])
        assert command.dump(target) == file.read_text()
    assert "ignored" not in node.output


def test_dumps_of_the_composed_nodes_load_again_and_dump_the_same(command: ParamCommand, tmp_path: Path) -> None:
    nodes = ("/camera_node", "/inference_node", "/webrtc_node")
    with node_process("picam_webrtc", SMALL) as process:
        process.wait_for_line(READY["picam_webrtc"])
        file = tmp_path / "dump.yaml"
        file.write_text("".join(command.dump(node) for node in nodes))

    with node_process("picam_webrtc", {}, "--params-file", str(file)) as process:
        process.wait_for_line(READY["picam_webrtc"])
        assert "".join(command.dump(node) for node in nodes) == file.read_text()
    assert "ignored" not in process.output


UNKNOWN = """
/camera_node:
  ros__parameters: {widht: 640, use_sim_time: false}
/**:
  ros__parameters: {hieght: 480}
/other_node:
  ros__parameters: {frame_rat: 15.0}
/**/camera_node:
  ros__parameters: {heigth: 480}
"""


def test_a_parameter_that_a_file_gives_our_node_and_it_has_not_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(UNKNOWN)
    with node_process("camera_node", {"source": "test_pattern"}, "--params-file", str(file)) as node:
        node.wait_for_line(
            rf"\[WARN\] .*\[camera_node\]: parameter 'widht' in {file} is ignored: camera_node has none of that name; "
            r"did you mean 'width'\?"
        )
        node.wait_for_line(r"parameter 'heigth' in .* did you mean 'height'\?")
        assert node.stop() == 0
    assert "hieght" not in node.output
    assert "frame_rat'" not in node.output


def test_on_the_command_line_it_is_warned_of_once_unless_another_node_of_the_process_has_it() -> None:
    with node_process("picam_webrtc", {**SMALL, "widht": 640, "width": 640, "threshold": 0.6}) as process:
        process.wait_for_line("The page is at")
        process.wait_for_line(r"parameter 'widht' in the command line is ignored: camera_node, inference_node, webrtc")
        assert process.stop() == 0
    assert process.output.count("is ignored: ") == 1


def test_a_control_that_a_camera_has_not_is_warned_of_and_others_are_not_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("/camera_node:\n  ros__parameters: {ExposureTim: 9000}\n")
    for module, source in ((CAMERA, "picamera2"), ("camera_node", "test_pattern")):
        with node_process(module, {"source": source}, "--params-file", str(file)) as node:
            node.wait_for_line("Ready")
            assert node.stop() == 0
        assert ("did you mean 'ExposureTime'?" in node.output) == (source == "picamera2")

"""Each executable as a user meets it: clear about bad parameters, quick to end."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.process.runtime import FAREWELL_TIMEOUT_S
from picam_webrtc_test.pipeline import node_process

pytestmark = pytest.mark.ros

CAMERA, INFERENCE = "camera_node", "inference_node"
WEBRTC, COMPOSED = "webrtc_node", "picam_webrtc"
STOP_WITHIN_S = 2.0


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_text("this is no model\n" * 100)
    return path


def refused_with(module: str, parameters: dict[str, ParameterValue]) -> str:
    """What the node says when it ends by itself, which must be one line and exit code 1."""
    with node_process(module, parameters) as node:
        assert node.wait() == 1, node.output
        complaints = [line for line in node.lines if line.startswith("picam_webrtc: ")]
    assert "Traceback" not in node.output
    assert len(complaints) == 1, node.output
    return complaints[0]


@pytest.mark.parametrize(
    ("module", "name", "value", "remedy"),
    [
        (CAMERA, "source", "webcam", "must be one of auto, picamera2, video_file, bag, test_pattern"),
        (CAMERA, "width", 0, "must be from 64 to 9248"),
        (CAMERA, "frame_rate", "fast", "must be of type float"),
        (INFERENCE, "transform", "magic", "must be one of tflite, sensor, none"),
        (INFERENCE, "threshold", 1.5, "must be from 0 to 1"),
        (WEBRTC, "port", 70000, "must be from 0 to 65535"),
        (WEBRTC, "streams", ("front=image_raw",), "must be name:=topic"),
        (COMPOSED, "source", "webcam", "must be one of auto, picamera2, video_file, bag, test_pattern"),
    ],
)
def test_a_value_out_of_range_ends_the_node_naming_parameter_value_and_remedy(
    module: str, name: str, value: ParameterValue, remedy: str
) -> None:
    complaint = refused_with(module, {name: value})

    assert f"parameter '{name}' = " in complaint
    assert remedy in complaint


def test_a_missing_video_file_is_named() -> None:
    complaint = refused_with(CAMERA, {"source": "video_file", "video_file": "/no/such/film.mp4"})

    assert "parameter 'video_file' = '/no/such/film.mp4': " in complaint


def test_a_missing_model_file_is_named() -> None:
    complaint = refused_with(INFERENCE, {"model": "/no/such/model.tflite"})

    assert "parameter 'model' = '/no/such/model.tflite': " in complaint


def test_a_model_that_is_no_tflite_is_named(text_file: Path) -> None:
    assert f"parameter 'model' = '{text_file}': " in refused_with(INFERENCE, {"model": str(text_file)})


def test_a_port_in_use_is_named(taken_port: int) -> None:
    assert f"parameter 'port' = {taken_port}: " in refused_with(WEBRTC, {"port": taken_port})


def test_a_parameter_file_that_is_missing_is_named() -> None:
    with node_process(CAMERA, {}, "--params-file", "/no/such/params.yaml") as node:
        assert node.wait() == 1
        complaint = node.output

    assert "Traceback" not in complaint
    assert "/no/such/params.yaml" in complaint


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "started"),
    [(CAMERA, "Ready"), (INFERENCE, "Ready"), (WEBRTC, "The page is at"), (COMPOSED, "The page is at")],
)
def test_a_signal_ends_the_node_within_two_seconds_with_code_0(
    module: str, started: str, number: signal.Signals
) -> None:
    parameters: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0}
    with node_process(module, parameters) as node:
        node.wait_for_line(started)
        begin = time.monotonic()

        assert node.stop(number) == 0
        assert time.monotonic() - begin < STOP_WITHIN_S
    assert "Traceback" not in node.output


HANGING = """
import ctypes
from rclpy.node import Node
from picam_webrtc.ros.process.runtime import run

Node.destroy_node = lambda _: ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock

async def wire(stack, runtime):
    runtime.node("hanging", Node)
    print("Ready", flush=True)

raise SystemExit(run(wire))
"""


def test_a_middleware_that_does_not_let_go_is_left_and_shown() -> None:
    command = (sys.executable, "-c", HANGING)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "Ready\n"
        node.send_signal(signal.SIGINT)
        _, shown = node.communicate(timeout=30)

    assert node.returncode == 1
    assert f"Timeout (0:00:0{FAREWELL_TIMEOUT_S:.0f})!" in shown
    assert "in __exit__" in shown

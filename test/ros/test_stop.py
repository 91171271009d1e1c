"""Ctrl-C ends every shape of the pipeline with exit code 0 and without a traceback, whenever it comes."""

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.ros.support import wait_until

pytestmark = pytest.mark.ros

SMALL: dict[str, ParameterValue] = {
    "source": "test_pattern", "transform": "none", "width": 320, "height": 240, "port": 0,
    "encoded_topics": "compressed_image",
}  # fmt: skip
CAMERAS = ("/front", "/rear")
NODES = ("camera_node", "inference_node", "webrtc_node", "picam_webrtc")
EARLY_S = tuple(number / 20 for number in range(20))
"""After its start, a node is at each of its imports."""


@dataclass(frozen=True)
class Part:
    """A process of a shape, and the line by which it is at work."""

    executable: str
    ready: str
    arguments: tuple[str, ...] = ()
    ros_arguments: tuple[str, ...] = ()
    parameters: dict[str, ParameterValue] = field(default_factory=lambda: SMALL)


def recorder(folder: Path) -> Part:
    topics = [f"{camera}/{topic}" for camera in CAMERAS for topic in ("image_processed/h264", "camera_info")]
    return Part("record", "Recording /rear/camera_info", ("--without-rosbag2", "-o", str(folder), *topics), (), {})


def two_cameras_in_one_process(folder: Path) -> list[Part]:
    streams = tuple(f"{camera.strip('/')}:={camera}/image_processed" for camera in CAMERAS)
    one = Part("picam_webrtc", "The page is at", ("--cameras", *CAMERAS), (), SMALL | {"streams": streams})
    return [one, recorder(folder)]


def two_cameras_in_processes_of_their_own(folder: Path) -> list[Part]:
    streams = tuple(f"{camera.strip('/')}:={camera}/image_processed" for camera in CAMERAS)
    nodes = [
        Part(node, "Ready", (), ("-r", f"__ns:={camera}"))
        for camera in CAMERAS
        for node in ("camera_node", "inference_node")
    ]
    return [*nodes, Part("webrtc_node", "The page is at", (), (), SMALL | {"streams": streams}), recorder(folder)]


@pytest.mark.timeout(480)
@pytest.mark.parametrize(
    ("shape", "times"), [(two_cameras_in_one_process, 20), (two_cameras_in_processes_of_their_own, 5)]
)
def test_ctrl_c_ends_two_cameras_and_their_recording(
    shape: Callable[[Path], list[Part]], times: int, tmp_path: Path
) -> None:
    for number in range(times):
        with ExitStack() as stack:
            for process in interrupted(stack, shape(tmp_path / str(number))):
                assert process.wait() == 0, process.output
                assert "Traceback" not in process.output


def interrupted(stack: ExitStack, parts: Sequence[Part]) -> Sequence[NodeProcess]:
    """All of them, at work and then told to stop at once."""
    processes = [
        stack.enter_context(
            node_process(part.executable, part.parameters, *part.ros_arguments, arguments=part.arguments)
        )
        for part in parts
    ]
    for process, part in zip(processes, parts, strict=True):
        process.wait_for_line(part.ready)
    for process in processes:
        process.send(signal.SIGINT)
    return processes


def minds(process: NodeProcess) -> bool:
    """Whether SIGINT has to wait for Python, or Python catches it, proc_pid_status(5).

    Before that, for some milliseconds, a shell or `env` is being loaded, which a signal ends as it ends any program.
    """
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    blocked, caught = (int(status[name], 16) >> (signal.SIGINT - 1) & 1 for name in ("SigBlk", "SigCgt"))
    return bool(blocked or (caught and status["Name"].startswith("python")))


def test_ctrl_c_while_nodes_start_ends_them_without_a_traceback() -> None:
    for delay_s in EARLY_S:
        with ExitStack() as stack:
            nodes = [stack.enter_context(node_process(node, SMALL)) for node in NODES]
            wait_until(lambda: all(minds(node) for node in nodes), "the executables run")  # noqa: B023 - called at once
            time.sleep(delay_s)
            for node in nodes:
                node.send(signal.SIGINT)
            for node in nodes:
                assert node.wait() == 0, node.output
                assert "Traceback" not in node.output

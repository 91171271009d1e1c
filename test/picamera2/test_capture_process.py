"""The real Picamera2 in a capture process inside the tree, under the tree's Python; all else outside, under ours."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.capture_process import Spawned
from picam_webrtc.camera.remote import RemoteSource, remote_listing
from picam_webrtc.declaration import ParameterValue
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.capture_listener import CLIENT, container, listening
from picam_webrtc_test.camera.remote_sources import Recovery, WatchedWay, fault_of, next_frame_set, wait_until
from picam_webrtc_test.install.trees import MAKING_TIMEOUT_S, command_in, tree_of
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.viewer import viewer

pytestmark = [pytest.mark.timeout(MAKING_TIMEOUT_S + 60)]

SERVE = "picam_webrtc_test/picamera2/serve.py"
FRAME_RATE = 30.0


def tree_command(tree: Path, fault_file: Path | None = None) -> tuple[str, ...]:
    """A capture process in the tree, whose environment is that of `enter-tree`."""
    fault = [f"VIRTUAL_CAMERA_FAULT_FILE={fault_file}"] if fault_file else []
    return ("env", "WITHOUT_ROS=yes", *fault, *command_in(tree, "python3", "-I", SERVE))


@pytest.fixture
def tree() -> Path:
    return tree_of("trixie")


@pytest.fixture
def fault_file() -> Iterator[Path]:
    """In the shared memory, which both sides see."""
    path = Path("/dev/shm") / f"virtual-camera-{uuid.uuid4()}"  # noqa: S108 - no other place is shared with the tree
    yield path
    path.unlink(missing_ok=True)


class TreeWay(WatchedWay):
    def __init__(self, tree: Path, fault_file: Path) -> None:
        super().__init__(fault_file)
        self._way = Spawned(tree_command(tree, fault_file))


@pytest.fixture
def way(tree: Path, fault_file: Path) -> TreeWay:
    return TreeWay(tree, fault_file)


def settings(**values: Any) -> CameraSettings:
    return CameraSettings.from_values({"source": "picamera2", "format": "nv12", **values})


@pytest.fixture
def source(way: TreeWay) -> Iterator[RemoteSource]:
    source = RemoteSource(settings(), way)
    yield source
    source.close()


def missing(stamps: list[int]) -> int:
    """Summed up, because the virtual camera takes its stamps late at times: two periods, then none, lose no frame."""
    return int((np.rint(np.diff(stamps) * FRAME_RATE / 1e9) - 1).sum())


@pytest.mark.heavy
def test_every_frame_arrives_under_another_python(source: RemoteSource, way: TreeWay) -> None:
    source.probe()
    source.open()
    frame_sets = [next_frame_set(source) for _ in range(30)]
    stamps = [next_frame_set(source).frame.stamp_ns for _ in range(300)]

    assert (frame_sets[-1].frame.encoding, frame_sets[-1].frame.width, frame_sets[-1].frame.height) == (
        "nv12",
        1280,
        720,
    )
    assert "SensorTimestamp" in frame_sets[-1].metadata
    assert missing(stamps) == 0
    source.close()
    assert way.alive == []


def test_the_tree_has_another_python_and_the_listing_comes_from_it(way: TreeWay, tree: Path) -> None:
    listed = remote_listing(way)

    assert "camera 0, Virtual Front (front)" in listed
    assert "    FrameDurationLimits: list of ints, 16666 to 33333" in "\n".join(listed)
    assert (tree / "usr" / "bin" / "python3.13").exists()


def test_two_cameras_and_a_second_stream(way: TreeWay) -> None:
    front = RemoteSource(settings(camera="front", lores_width=640, lores_height=480), way)
    back = RemoteSource(settings(camera="Back", width=640, height=480), way)
    for source in (front, back):
        source.open()
    for _ in range(5):
        frame_set, other = next_frame_set(front), next_frame_set(back)

    assert frame_set.lores is not None
    assert (frame_set.frame.width, frame_set.lores.width, other.frame.width) == (1280, 640, 640)
    assert frame_set.lores.stamp_ns == frame_set.frame.stamp_ns
    assert not np.array_equal(frame_set.lores.pixels, other.frame.pixels)
    for source in (front, back):
        source.close()
    assert way.alive == []


@pytest.mark.heavy
def test_a_killed_process_is_replaced_within_1_2_s(source: RemoteSource, way: TreeWay) -> None:
    recovery = Recovery(source)
    with recovery.capture:
        times_s = [recovery.seconds_until_back(lambda: os.kill(way.alive[0], signal.SIGKILL)) for _ in range(3)]
    print(f"next frame after {[round(one, 2) for one in times_s]} s")
    assert max(times_s) <= 1.2


@pytest.mark.heavy
@pytest.mark.parametrize("hang", ["stopped", "gil"])
def test_a_hung_process_is_replaced_within_4_s(source: RemoteSource, way: TreeWay, hang: str) -> None:
    def disturb() -> None:
        if hang == "stopped":
            os.kill(way.alive[0], signal.SIGSTOP)
        else:
            way.fault_file.write_text(hang)

    recovery = Recovery(source)
    with recovery.capture:
        time_s = recovery.seconds_until_back(disturb)
    print(f"next frame after {time_s:.2f} s")
    assert time_s <= 4.0
    assert way.alive == []


@pytest.mark.heavy
def test_a_hundred_killed_processes_leave_nothing_behind(source: RemoteSource, way: TreeWay) -> None:
    def holdings() -> tuple[int, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE")

    def killed_once() -> None:
        source.open()
        next_frame_set(source)
        os.kill(way.alive[0], signal.SIGKILL)
        assert "SIGKILL" in fault_of(source)
        source.close()
        assert way.alive == []
        way.processes.clear()

    for _ in range(3):
        killed_once()
    before = holdings()
    for _ in range(100):
        killed_once()
    after = holdings()

    assert after[0] == before[0]
    assert after[1] - before[1] < 4 << 20


@pytest.mark.heavy
def test_a_client_that_was_held_for_3_s_goes_on_with_the_newest_frame(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "capture.sock"
    with listening(path, tree_command(tree)) as listener:
        client = subprocess.Popen([sys.executable, str(CLIENT), str(path), "150"], stdout=subprocess.PIPE, text=True)
        assert client.stdout is not None
        client.stdout.readline()
        os.kill(client.pid, signal.SIGSTOP)
        time.sleep(3.0)
        os.kill(client.pid, signal.SIGCONT)
        report = json.loads(client.communicate(timeout=60)[0].splitlines()[-1])
        wait_until(lambda: listener.alive == [], "the end of the capture process")

    ages_s = (np.array(report["read_ns"]) - np.array(report["stamps"])) / 1e9
    gaps_s = np.diff(report["read_ns"]) / 1e9
    held = int(np.argmax(gaps_s))
    assert gaps_s[held] > 2.9
    assert gaps_s[held] < 4.0  # it was not reopened
    assert ages_s[held + 1 : held + 30].max() < 0.2
    assert len(listener.processes) == 2  # for its frames, and for its number at the end


@pytest.mark.heavy
def test_in_namespaces_of_its_own_with_only_the_socket_shared_it_is_the_same(tree: Path, tmp_path: Path) -> None:
    with listening(tmp_path / "capture.sock", tree_command(tree)) as listener:
        client = [*container(tmp_path), sys.executable, str(CLIENT), "", "330"]
        ended = subprocess.run(client, capture_output=True, text=True, timeout=60, check=False)
        wait_until(lambda: listener.alive == [], "the end of the capture process")

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    assert report["pids"] == [1, 0]
    assert missing(report["stamps"][30:]) == 0


def capture_processes(node: NodeProcess) -> list[int]:
    """The running children of `node` that serve a camera."""
    children = Path(f"/proc/{node.pid}/task").glob("*/children")
    pids = [int(pid) for one in children for pid in one.read_text().split()]
    return [pid for pid in pids if SERVE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.ros
@pytest.mark.heavy
async def test_the_whole_pipeline_shows_the_camera_and_survives_its_capture_process(
    tree: Path, fault_file: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec {" ".join(tree_command(tree, fault_file))} "$3"\n')
    python.chmod(0o755)
    parameters: dict[str, ParameterValue] = {
        "source": "picamera2",
        "camera_process": "separate",
        "camera_python": str(python),
        "lores_width": 640,
        "lores_height": 480,
        "transform": "none",
        "port": 0,
        "idle_timeout": 0.5,
    }
    with node_process("picam_webrtc", parameters) as node:
        url = node.wait_for_line(r"The page is at (http://\S+)")[1]
        assert capture_processes(node) == []
        async with viewer(url) as one:
            await one.connect_by_whep()
            await one.next_frame()
            (pid,) = capture_processes(node)
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(node.wait_for_line, "Camera fault: the capture process was ended by SIGKILL")
            await asyncio.to_thread(node.wait_for_line, "Camera delivers again")
            for _ in range(30):
                picture = (await one.next_frame()).to_ndarray(format="bgr24")
        assert picture.shape[1] >= 640
        assert picture.std() > 20  # bars
        node.wait_for_line(r"INFO.*Camera closed successfully\.")
        wait_until(lambda: capture_processes(node) == [], "the end of the capture process")

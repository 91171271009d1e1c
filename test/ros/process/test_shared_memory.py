"""Shared memory that is short: the user is told what to do, pictures come all the same, and none is left behind."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.process.shared_memory import SHARED_MEMORY, YOUNGEST_S, remove_orphans, shortage
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import wait_until
from picam_webrtc_test.viewer import viewer

MOUNT = "mount -t tmpfs -o size={}m tmpfs /dev/shm && echo mounted && exec sleep infinity"
LITTLE_MB, ENOUGH_MB = 16, 128
IMAGES_BYTES = 10_000_000
"""Segments for images are larger."""
NODES = ("camera_node", "inference_node", "webrtc_node")
PARAMETERS: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0}


def profile(directory: Path, text: str) -> Path:
    path = directory / "profile.xml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["<segment_size>1048576</segment_size>", "<dds/>"], ids=["little", "nothing asked"])
def test_nothing_is_said_when_there_is_enough(tmp_path: Path, text: str) -> None:
    assert shortage(profile(tmp_path, text), directory=tmp_path) is None


def test_nothing_is_said_where_there_is_no_such_directory(tmp_path: Path) -> None:
    wanted = profile(tmp_path, "<segment_size>1048576</segment_size>")

    assert shortage(wanted, directory=tmp_path / "shm") is None


def test_too_little_is_told_with_the_figures_and_the_remedy(tmp_path: Path) -> None:
    wanted = profile(tmp_path, f"<segment_size>{1 << 60}</segment_size>")

    said = shortage(wanted, directory=tmp_path)

    assert said is not None
    assert said.startswith(f"{tmp_path} has ")
    assert f"{(1 << 60) * 1.1 / (1 << 20):.0f} are needed" in said
    assert "--shm-size=256m" in said


def segment(directory: Path, number: int, age_s: float) -> Path:
    lock = directory / f"fastdds_{number:016x}_el"
    for path in (lock.with_name(lock.name.removesuffix("_el")), lock):
        path.touch()
        os.utime(path, (time.time() - age_s,) * 2)
    return lock


def test_only_what_no_process_holds_is_removed(tmp_path: Path) -> None:
    old = 2 * YOUNGEST_S
    held, orphan, new = (segment(tmp_path, number, age_s) for number, age_s in enumerate((old, old, 0)))
    port = tmp_path / "fastdds_port7411_el"
    port.touch()
    os.utime(port, (0, 0))
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_orphans(tmp_path)

    assert not list(tmp_path.glob(f"{orphan.name.removesuffix('_el')}*"))
    for kept in (held, new):
        assert len(list(tmp_path.glob(f"{kept.name.removesuffix('_el')}*"))) == 2
    assert port.exists()


@dataclass(frozen=True)
class Container:
    """`inside` is a command that runs what follows it with `shared_memory` as its /dev/shm."""

    inside: tuple[str, ...]
    shared_memory: Path


@pytest.fixture
def container(request: pytest.FixtureRequest) -> Iterator[Container]:
    """With as many MB of shared memory as the parameter says."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a mount namespace takes root and unshare")
    command = ("unshare", "--mount", "sh", "-c", MOUNT.format(request.param))
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "mounted\n"
        inside = ("nsenter", "--mount", "--wd", f"--target={holder.pid}")
        yield Container(inside, Path(f"/proc/{holder.pid}/root{SHARED_MEMORY}"))
        holder.terminate()


@pytest.mark.ros
@pytest.mark.parametrize("container", [LITTLE_MB], indirect=True)
async def test_pictures_come_by_udp_and_each_node_says_why(container: Container) -> None:
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(node_process(f"picam_webrtc.ros.{name}", PARAMETERS, prefix=container.inside))
            for name in NODES
        ]
        url = nodes[-1].wait_for_line(r"The page is at (http://\S+)")[1]
        async with viewer(url) as one:
            await one.connect_by_whep("processed")
            await one.next_frame()

        for node in nodes:
            node.wait_for_line(r"\[WARN\].* /dev/shm has 1[56] MB free and 35 are needed: .*--shm-size=256m")


@pytest.mark.ros
@pytest.mark.parametrize("container", [ENOUGH_MB], indirect=True)
def test_what_a_killed_node_leaves_is_removed_when_one_starts(container: Container) -> None:
    def segments() -> set[Path]:
        return {path for path in container.shared_memory.glob("fastdds_*") if path.stat().st_size > IMAGES_BYTES}

    with node_process("picam_webrtc.ros.camera_node", PARAMETERS, prefix=container.inside) as node:
        node.wait_for_line("Ready")
        left = segments()
        wait_until(lambda: all(time.time() - path.stat().st_mtime > YOUNGEST_S for path in left), "the files are old")
        node.stop(signal.SIGKILL)
    assert left
    assert left <= segments()

    with node_process("picam_webrtc.ros.camera_node", PARAMETERS, prefix=container.inside) as node:
        node.wait_for_line("Ready")

        assert not left & segments()

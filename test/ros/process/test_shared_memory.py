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
from picam_webrtc.ros.process.shared_memory import (
    FAST_DDS_2,
    FAST_DDS_3,
    GENERATIONS,
    PROFILE_VARIABLES,
    SHARED_MEMORY,
    YOUNGEST_S,
    FastDds,
    loaded_fast_dds,
    remove_orphans,
    shortage,
    use_profile,
)
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
    assert shortage(profile(tmp_path, text), directory=tmp_path) == []


def test_nothing_is_said_where_there_is_no_such_directory(tmp_path: Path) -> None:
    wanted = profile(tmp_path, "<segment_size>1048576</segment_size>")

    assert shortage(wanted, directory=tmp_path / "shm") == []


def test_too_little_is_told_with_the_figures_and_the_remedy(tmp_path: Path) -> None:
    wanted = profile(tmp_path, f"<segment_size>{1 << 60}</segment_size>")

    (said,) = shortage(wanted, directory=tmp_path)

    assert said.startswith(f"{tmp_path} has ")
    assert f"{(1 << 60) * 1.1 / (1 << 20):.0f} are needed" in said
    assert "--shm-size=256m" in said


generations = pytest.mark.parametrize("fast_dds", GENERATIONS, ids=["Jazzy", "Kilted"])


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and an environment, in which nobody has chosen a transport; our profile."""
    monkeypatch.chdir(tmp_path)
    for variable in (*PROFILE_VARIABLES, "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.setenv(variable, "")
    return profile(tmp_path, "<segment_size>1048576</segment_size>")


@pytest.mark.parametrize(
    ("fast_dds", "variable"),
    [(FAST_DDS_2, "FASTRTPS_DEFAULT_PROFILES_FILE"), (FAST_DDS_3, "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_our_profile_is_named_in_the_variable_that_the_generation_reads(
    untouched: Path, fast_dds: FastDds, variable: str
) -> None:
    assert use_profile(fast_dds, untouched, untouched.parent) == []
    assert {name: os.environ[name] for name in PROFILE_VARIABLES if os.environ[name]} == {variable: str(untouched)}


@generations
def test_transports_that_the_user_named_are_left_alone_and_what_that_costs_is_said(
    untouched: Path, monkeypatch: pytest.MonkeyPatch, fast_dds: FastDds
) -> None:
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")

    (said,) = use_profile(fast_dds, untouched, untouched.parent)

    assert said.startswith("FASTDDS_BUILTIN_TRANSPORTS=UDPv4 is left as it is; ")
    assert "may lose most 1280x720 images" in said
    assert not any(os.environ[variable] for variable in PROFILE_VARIABLES)


@pytest.mark.parametrize(
    ("fast_dds", "name"),
    [(FAST_DDS_2, "DEFAULT_FASTRTPS_PROFILES.xml"), (FAST_DDS_3, "DEFAULT_FASTDDS_PROFILES.xml")],
)
def test_a_profile_in_the_working_directory_is_left_alone(untouched: Path, fast_dds: FastDds, name: str) -> None:
    untouched.with_name(name).write_text("<dds/>")

    (said,) = use_profile(fast_dds, untouched, untouched.parent)

    assert f"{name} is left as it is" in said
    assert not any(os.environ[variable] for variable in PROFILE_VARIABLES)


@generations
@pytest.mark.parametrize(("size", "is_told"), [(1 << 20, True), (16 << 20, False)], ids=["small", "large enough"])
def test_a_profile_in_the_working_directory_is_measured(
    untouched: Path, fast_dds: FastDds, size: int, is_told: bool
) -> None:
    untouched.with_name(fast_dds.profile_file).write_text(f"<segment_size>{size}</segment_size>")

    assert len(use_profile(fast_dds, untouched, untouched.parent)) == is_told


@generations
@pytest.mark.parametrize(("size", "is_told"), [(1 << 20, True), (16 << 20, False)], ids=["small", "large enough"])
def test_a_profile_of_the_users_own_is_kept_and_its_cost_is_said_where_it_has_one(
    untouched: Path, monkeypatch: pytest.MonkeyPatch, fast_dds: FastDds, size: int, is_told: bool
) -> None:
    theirs = untouched.with_name("theirs.xml")
    theirs.write_text(f"<segment_size> {size} </segment_size>")
    monkeypatch.setenv(fast_dds.profile_variables[0], str(theirs))

    said = use_profile(fast_dds, untouched, untouched.parent)

    assert [f"{fast_dds.profile_variables[0]}={theirs} is left as it is" in line for line in said] == [True] * is_told
    assert os.environ[fast_dds.profile_variables[0]] == str(theirs)


def test_a_profile_named_in_a_variable_that_is_not_read_is_told_of(
    untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/their/profile.xml")

    (said,) = use_profile(FAST_DDS_2, untouched, untouched.parent)

    assert said == (
        "FASTDDS_DEFAULT_PROFILES_FILE is not read by this Fast DDS, which reads FASTRTPS_DEFAULT_PROFILES_FILE"
    )
    assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == str(untouched)


def test_the_variable_that_kilted_calls_deprecated_is_the_users_choice_too(
    untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/their/profile.xml")

    (said,) = use_profile(FAST_DDS_3, untouched, untouched.parent)

    assert "FASTRTPS_DEFAULT_PROFILES_FILE=/their/profile.xml is left as it is" in said
    assert not os.environ["FASTDDS_DEFAULT_PROFILES_FILE"]


@pytest.mark.parametrize(
    ("library", "generation"),
    [
        ("/opt/ros/jazzy/lib/libfastrtps.so.2.14.5", FAST_DDS_2),
        ("/opt/ros/kilted/lib/libfastdds.so.3.2.2", FAST_DDS_3),
        ("/opt/ros/jazzy/lib/libddsc.so.0.10.5", None),
        ("/opt/ros/lyrical/lib/librmw_zenoh_cpp.so", None),
        ("/opt/ros/jazzy/lib/librosidl_typesupport_fastrtps_c.so", None),
    ],
)
def test_the_middleware_is_known_by_the_library_that_is_loaded(
    tmp_path: Path, library: str, generation: FastDds | None
) -> None:
    maps = tmp_path / "maps"
    maps.write_text(f"7f5c6c000000-7f5c6c021000 r-xp 00000000 fe:00 1234    {library}\n")

    assert loaded_fast_dds(maps) == generation


def segment(fast_dds: FastDds, directory: Path, number: int, age_s: float) -> Path:
    lock = directory / f"{fast_dds.file_prefix}{number:016x}_el"
    for path in (lock.with_name(lock.name.removesuffix("_el")), lock):
        path.touch()
        os.utime(path, (time.time() - age_s,) * 2)
    return lock


@generations
def test_only_what_no_process_holds_is_removed(tmp_path: Path, fast_dds: FastDds) -> None:
    old = 2 * YOUNGEST_S
    held, orphan, new = (segment(fast_dds, tmp_path, number, age_s) for number, age_s in enumerate((old, old, 0)))
    port = tmp_path / f"{fast_dds.file_prefix}port7411_el"
    port.touch()
    os.utime(port, (0, 0))
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_orphans(fast_dds, tmp_path)

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
        nodes = [stack.enter_context(node_process(name, PARAMETERS, prefix=container.inside)) for name in NODES]
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
        return {path for path in container.shared_memory.glob("fast*_*") if path.stat().st_size > IMAGES_BYTES}

    with node_process("camera_node", PARAMETERS, prefix=container.inside) as node:
        node.wait_for_line("Ready")
        left = segments()
        wait_until(lambda: all(time.time() - path.stat().st_mtime > YOUNGEST_S for path in left), "the files are old")
        node.stop(signal.SIGKILL)
    assert left
    assert left <= segments()

    with node_process("camera_node", PARAMETERS, prefix=container.inside) as node:
        node.wait_for_line("Ready")

        assert not left & segments()

"""Images between processes of one machine go through shared memory: how Fast DDS gets enough of it, and if it can."""

import fcntl
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from picam_webrtc.ros.process.memory import MEBIBYTE


@dataclass(frozen=True, slots=True)
class FastDds:
    """What a generation of Fast DDS calls its library, the variables and the file (in the working directory) that it
    reads a profile from, the first variable being the one to use, and its files in shared memory.
    """

    library: str
    profile_variables: tuple[str, ...]
    profile_file: str
    file_prefix: str


PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
FAST_DDS_2 = FastDds("libfastrtps.so", PROFILE_VARIABLES[1:], "DEFAULT_FASTRTPS_PROFILES.xml", "fastrtps_")
"""ROS 2 Jazzy: Fast DDS 2.14.5, rmw_fastrtps 8.4.3."""
FAST_DDS_3 = FastDds("libfastdds.so", PROFILE_VARIABLES, "DEFAULT_FASTDDS_PROFILES.xml", "fastdds_")
"""ROS 2 Kilted (Fast DDS 3.2.2, rmw_fastrtps 9.3.3, which reads the old variable too) and later."""
GENERATIONS = (FAST_DDS_2, FAST_DDS_3)

TRANSPORTS_VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"
"""Names transports without a profile; read by both generations."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX puts it on Linux, shm_overview(7)
LOADED_LIBRARIES = Path("/proc/self/maps")
MANAGEMENT = 1.1
"""What Fast DDS takes for a segment, in sizes of the segment: its own lists are beside the images."""
LOCK = "_el"
"""Ends the name of the file that a segment's process keeps locked (flock(2)) while it lives."""
YOUNGEST_S = 1.0
"""Of a lock file that is looked at: one just made may not be locked yet."""
LEAST_SEGMENT_BYTES = 4 * MEBIBYTE
"""Measured: with less, best-effort subscribers lose 1280x720 images."""
COST = (
    "without picam_webrtc's shared memory of 32 MB, best-effort subscribers in other processes may lose most 1280x720 "
    "images and reliable ones get them some 40 ms late"
)

MORE_MEMORY = "give a container more (docker run --shm-size=256m, or --ipc=host), or launch with composed:=true"


@dataclass(frozen=True, slots=True)
class Choice:
    """By what the user chose a transport: a `profile`, or names of transports; in a `variable` unless that is ""."""

    profile: Path | None
    variable: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.variable}={self.value}" if self.variable else str(self.profile)

    @property
    def suffices(self) -> bool:
        """Whether images get the memory that they need."""
        return self.profile is not None and segment_bytes(self.profile) >= LEAST_SEGMENT_BYTES


def loaded_fast_dds(libraries: Path = LOADED_LIBRARIES) -> FastDds | None:
    """The generation that this process has loaded; None where the middleware is another one."""
    try:
        maps = libraries.read_text()
    except OSError:
        return None
    return next((one for one in GENERATIONS if f"/{one.library}" in maps), None)


def use_profile(fast_dds: FastDds, ours: Path, shared_memory: Path = SHARED_MEMORY) -> list[str]:
    """Have Fast DDS read our profile unless the user chose a transport; what the user should know."""
    chosen = chosen_by_user(fast_dds, os.environ, Path.cwd())
    if chosen is None:
        unread = [
            f"{variable} is not read by this Fast DDS, which reads {fast_dds.profile_variables[0]}"
            for variable in unread_variables(fast_dds, os.environ)
        ]
        os.environ[fast_dds.profile_variables[0]] = str(ours)
        return [*unread, *shortage(ours, shared_memory)]
    if chosen.profile is not None and chosen.suffices:
        return shortage(chosen.profile, shared_memory)
    return [f"{chosen} is left as it is; {COST}"]


def chosen_by_user(fast_dds: FastDds, environment: Mapping[str, str], directory: Path) -> Choice | None:
    """What is in force in a process that starts in `directory`; None where nothing was chosen."""
    for variable in fast_dds.profile_variables:
        if environment.get(variable):
            return Choice(Path(environment[variable]), variable, environment[variable])
    if environment.get(TRANSPORTS_VARIABLE):
        return Choice(None, TRANSPORTS_VARIABLE, environment[TRANSPORTS_VARIABLE])
    file = directory / fast_dds.profile_file
    return Choice(file) if file.exists() else None


def unread_variables(fast_dds: FastDds, environment: Mapping[str, str]) -> list[str]:
    """Those of the other generation's in which a profile was named."""
    others = (name for name in PROFILE_VARIABLES if name not in fast_dds.profile_variables)
    return [name for name in others if environment.get(name)]


def remove_orphans(fast_dds: FastDds, directory: Path = SHARED_MEMORY) -> None:
    """Remove the segments of processes that were killed, which nobody else does: each holds memory until the next boot.

    Ports, which are small and used again by name, stay.
    """
    for lock in directory.glob(f"{fast_dds.file_prefix}*{LOCK}"):
        if lock.name.startswith(f"{fast_dds.file_prefix}port"):
            continue
        with suppress(OSError), lock.open() as file:  # locked, another user's, or gone by now
            if time.time() - os.fstat(file.fileno()).st_mtime < YOUNGEST_S:
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix(LOCK)).unlink(missing_ok=True)
            lock.unlink()


def shortage(profile: Path, directory: Path = SHARED_MEMORY) -> list[str]:
    """What to tell the user when a process that starts now does not get the segment that `profile` asks for.

    Fast DDS then complains about the platform and goes on by UDP. That is the state of a container with the 64 MB
    that Docker gives: enough for the first process only.
    """
    free_mb, wanted_mb = free_megabytes(directory), wanted_megabytes(profile)
    if free_mb is None or free_mb >= wanted_mb:
        return []
    return [
        f"{directory} has {free_mb:.0f} MB free and {wanted_mb:.0f} are needed: images come and go by UDP instead, "
        f"at more CPU; {MORE_MEMORY}"
    ]


def free_megabytes(directory: Path = SHARED_MEMORY) -> float | None:
    """Of shared memory; None where there is none (no Linux)."""
    try:
        space = os.statvfs(directory)
    except OSError:
        return None
    return space.f_bavail * space.f_frsize / MEBIBYTE


def wanted_megabytes(profile: Path) -> float:
    """What each process takes of it for the segment that `profile` asks for."""
    return segment_bytes(profile) * MANAGEMENT / MEBIBYTE


def segment_bytes(profile: Path) -> int:
    """The size of the shared-memory segment that a profile asks for; 0 where it asks for none or is not there."""
    try:
        size = re.search(r"<segment_size>\s*(\d+)\s*<", profile.read_text())
    except (OSError, UnicodeDecodeError):  # of which Fast DDS tells
        return 0
    return int(size[1]) if size else 0

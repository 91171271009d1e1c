"""Images between processes of one machine go through shared memory: how Fast DDS gets enough of it, and if it can."""

import fcntl
import os
import re
import time
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


def loaded_fast_dds(libraries: Path = LOADED_LIBRARIES) -> FastDds | None:
    """The generation that this process has loaded; None where the middleware is another one."""
    try:
        maps = libraries.read_text()
    except OSError:
        return None
    return next((one for one in GENERATIONS if f"/{one.library}" in maps), None)


def use_profile(fast_dds: FastDds, ours: Path, shared_memory: Path = SHARED_MEMORY) -> list[str]:
    """Have Fast DDS read our profile unless the user chose a transport; what the user should know."""
    chosen = _chosen_by_user(fast_dds, Path.cwd())
    if chosen is None:
        os.environ[fast_dds.profile_variables[0]] = str(ours)
        return [*_unread(fast_dds), *shortage(ours, shared_memory)]
    profile = next(filter(None, map(os.environ.get, fast_dds.profile_variables)), None)
    if profile and segment_bytes(Path(profile)) >= LEAST_SEGMENT_BYTES:
        return shortage(Path(profile), shared_memory)
    return [f"{chosen} is left as it is; {COST}"]


def _chosen_by_user(fast_dds: FastDds, directory: Path) -> str | None:
    """By what the user chose a transport; None where nothing was chosen."""
    for variable in (*fast_dds.profile_variables, TRANSPORTS_VARIABLE):
        if os.environ.get(variable):
            return f"{variable}={os.environ[variable]}"
    file = directory / fast_dds.profile_file
    return f"The Fast DDS profile {file}" if file.exists() else None


def _unread(fast_dds: FastDds) -> list[str]:
    """That a profile was named in a variable of the other generation's."""
    return [
        f"{variable} is not read by this Fast DDS, which reads {fast_dds.profile_variables[0]}"
        for variable in PROFILE_VARIABLES
        if variable not in fast_dds.profile_variables and os.environ.get(variable)
    ]


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
    try:
        free = os.statvfs(directory)
    except OSError:  # no Linux
        return []
    wanted_mb = segment_bytes(profile) * MANAGEMENT / MEBIBYTE
    free_mb = free.f_bavail * free.f_frsize / MEBIBYTE
    if free_mb >= wanted_mb:
        return []
    return [
        f"{directory} has {free_mb:.0f} MB free and {wanted_mb:.0f} are needed: images come and go by UDP instead, "
        "at more CPU; give a container more (docker run --shm-size=256m, or --ipc=host), or launch with composed:=true"
    ]


def segment_bytes(profile: Path) -> int:
    """The size of the shared-memory segment that a profile asks for; 0 where it asks for none or is not there."""
    try:
        size = re.search(r"<segment_size>\s*(\d+)\s*<", profile.read_text())
    except (OSError, UnicodeDecodeError):  # of which Fast DDS tells
        return 0
    return int(size[1]) if size else 0

"""Images between processes of one machine go through shared memory: how Fast DDS gets enough of it, and if it can."""

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from picam_webrtc.ros.process.memory import MEBIBYTE

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX puts it on Linux, shm_overview(7)
MANAGEMENT = 1.1
"""What Fast DDS takes for a segment, in sizes of the segment: its own lists are beside the images."""
LOCK = "_el"
"""Ends the name of the file that a segment's process keeps locked (flock(2)) while it lives."""
YOUNGEST_S = 1.0
"""Of a lock file that is looked at: one just made may not be locked yet."""


def use_profile(ours: Path) -> Path:
    """Have Fast DDS read our profile unless the user has named another; which it will read."""
    named = next(filter(None, map(os.environ.get, PROFILE_VARIABLES)), None)
    if named is None:
        os.environ[PROFILE_VARIABLES[0]] = named = str(ours)
    return Path(named)


def remove_orphans(directory: Path = SHARED_MEMORY) -> None:
    """Remove the segments of processes that were killed, which nobody else does: each holds memory until the next boot.

    Ports, which are small and used again by name, stay.
    """
    for lock in directory.glob(f"fastdds_*{LOCK}"):
        if lock.name.startswith("fastdds_port"):
            continue
        with suppress(OSError), lock.open() as file:  # locked, another user's, or gone by now
            if time.time() - os.fstat(file.fileno()).st_mtime < YOUNGEST_S:
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix(LOCK)).unlink(missing_ok=True)
            lock.unlink()


def shortage(profile: Path, directory: Path = SHARED_MEMORY) -> str | None:
    """What to tell the user when a process that starts now does not get the segment that `profile` asks for.

    Fast DDS then complains about the platform and goes on by UDP. That is the state of a container with the 64 MB
    that Docker gives: enough for the first process only.
    """
    try:
        size = re.search(r"<segment_size>(\d+)<", profile.read_text())
        free = os.statvfs(directory)
    except OSError:  # no such profile, of which Fast DDS tells; no Linux
        return None
    if size is None:
        return None
    wanted_mb = int(size[1]) * MANAGEMENT / MEBIBYTE
    free_mb = free.f_bavail * free.f_frsize / MEBIBYTE
    if free_mb >= wanted_mb:
        return None
    return (
        f"{directory} has {free_mb:.0f} MB free and {wanted_mb:.0f} are needed: images come and go by UDP instead, "
        "at more CPU; give a container more (docker run --shm-size=256m, or --ipc=host), or launch with composed:=true"
    )

"""Images between processes of one machine go through shared memory: how Fast DDS gets enough of it, and if it can."""

import os
import re
from pathlib import Path

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX puts it on Linux, shm_overview(7)
MEBIBYTE = 1 << 20
MANAGEMENT = 1.1
"""What Fast DDS takes for a segment, in sizes of the segment: its own lists are beside the images."""


def use_profile(profile: Path) -> bool:
    """Have Fast DDS read `profile` unless the user has named another; whether it will."""
    if any(os.environ.get(name) for name in PROFILE_VARIABLES):
        return False
    os.environ[PROFILE_VARIABLES[0]] = str(profile)
    return True


def shortage(profile: Path, directory: Path = SHARED_MEMORY) -> str | None:
    """What to tell the user when a process that starts now does not get the segment that `profile` asks for.

    Fast DDS then complains about the platform and goes on by UDP. That is the state of a container with the 64 MB
    that Docker gives: enough for the first process only.
    """
    size = re.search(r"<segment_size>(\d+)<", profile.read_text())
    if size is None:
        return None
    try:
        free = os.statvfs(directory)
    except OSError:  # no Linux
        return None
    wanted_mb = int(size[1]) * MANAGEMENT / MEBIBYTE
    free_mb = free.f_bavail * free.f_frsize / MEBIBYTE
    if free_mb >= wanted_mb:
        return None
    return (
        f"{directory} has {free_mb:.0f} MB free and {wanted_mb:.0f} are needed: images come and go by UDP instead, "
        "at more CPU; give a container more (docker run --shm-size=256m, or --ipc=host), or launch with composed:=true"
    )

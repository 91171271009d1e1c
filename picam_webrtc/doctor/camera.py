"""Cameras: Picamera2, what it sees, and whether this user may use them."""

import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from picam_webrtc.dependencies import is_there
from picam_webrtc.doctor.children import Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning

SYSTEM_PYTHON = Path("/usr/bin/python3")
DEVICES = ("video*", "media*")
"""In /dev; all that a camera's drivers make."""
PATTERN = "source:=auto shows the test pattern"


def children(system: Path = SYSTEM_PYTHON) -> list[list[Step]]:
    """Where our Python has no Picamera2, the system's is asked: it may be only out of sight."""
    if is_there("picamera2"):
        return [[Step("cameras")]]
    if not system.exists() or system.resolve() == Path(sys.executable).resolve():
        return []
    return [[Step("cameras", python=str(system))]]


def cameras(answers: Answers, system: Path = SYSTEM_PYTHON) -> Iterator[Finding]:
    ours, systems = answers.get(Step("cameras")), answers.get(Step("cameras", python=str(system)))
    if ours is not None:
        yield from _ours(ours)
    elif systems is not None and systems.untold:
        yield unknown("camera", f"whether {system} has Picamera2: {systems.error}", systems.untold)
    elif systems is not None and not systems.error:
        found = f"{system} has Picamera2, which sees {_count(systems)}, but this Python does not see it: {PATTERN}"
        yield warning("camera", found, "run ./install.sh, which makes an environment that sees the system's packages")
    else:
        remedy = "sudo apt install python3-picamera2 (Raspberry Pi OS; Ubuntu 26.04)"
        yield warning("camera", f"Picamera2 is not installed: {PATTERN}", remedy)


def _ours(answer: Answer) -> Iterator[Finding]:
    if answer.untold:
        yield unknown("camera", f"Picamera2: {answer.error}", answer.untold)
    elif answer.error:
        yield broken(
            "camera", f"Picamera2 cannot be used: {answer.error}", "sudo apt install --reinstall python3-picamera2"
        )
    elif not answer.value:
        remedy = "check the cable, and that `rpicam-hello --list-cameras` shows it"
        yield warning("camera", f"Picamera2 sees no camera: {PATTERN}", remedy)
    for one in answer.value or ():
        yield ok("camera", f"{one['camera']}; sensor modes: {', '.join(one['modes']) or 'none that it tells'}")


def _count(answer: Answer) -> str:
    number = len(answer.value)
    return "no camera" if number == 0 else f"{number} camera{'s' * (number > 1)}"


def permissions(folder: Path = Path("/dev")) -> Iterator[Finding]:
    """Whether this user may open the devices of cameras; nothing where there are none."""
    devices = sorted(path for pattern in DEVICES for path in folder.glob(pattern))
    if not devices:
        return
    closed = [path for path in devices if not os.access(path, os.R_OK | os.W_OK)]
    user = getpass.getuser()
    if closed:
        remedy = f"sudo usermod --append --groups video {user}, then log in again"
        yield broken("group video", f"{user} may not use {_names(closed)}", remedy)
    else:
        yield ok("group video", f"{user} may use all {len(devices)} video and media devices")


def _names(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"

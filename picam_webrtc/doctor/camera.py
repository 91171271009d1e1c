"""Cameras: Picamera2, what it sees, and whether this user may use them."""

import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from picam_webrtc.camera_settings import CAPTURE_SOCKET, CameraSettings
from picam_webrtc.dependencies import is_there
from picam_webrtc.doctor.children import Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning

SYSTEM_PYTHON = Path(CameraSettings().camera_python)
DEVICES = ("video*", "media*")
"""In /dev; all that a camera's drivers make."""
PATTERN = "source:=auto shows the test pattern"


def children(system: Path = SYSTEM_PYTHON) -> list[list[Step]]:
    """Where our Python has no Picamera2, the system's is asked: camera_node takes its frames from a capture process."""
    if is_there("picamera2"):
        return [[Step("cameras")]]
    if not system.exists() or system.resolve() == Path(sys.executable).resolve():
        return []
    return [[Step("cameras", python=str(system))]]


def cameras(answers: Answers, system: Path = SYSTEM_PYTHON, service: Path = CAPTURE_SOCKET) -> Iterator[Finding]:
    ours, systems = answers.get(Step("cameras")), answers.get(Step("cameras", python=str(system)))
    if ours is not None:
        yield from _ours(ours)
    elif systems is not None and systems.untold:
        yield unknown("camera", f"whether {system} has Picamera2: {systems.error}", systems.untold)
    elif systems is not None and not systems.error:
        yield from _seen(systems, f"by Picamera2 of {system}, in a capture process")
    elif service.exists():
        yield ok("camera", f"a capture service listens at {service}; list_cameras shows what it sees")
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
    else:
        yield from _seen(answer)


def _seen(answer: Answer, how: str = "") -> Iterator[Finding]:
    if not answer.value:
        remedy = "check the cable, and that `rpicam-hello --list-cameras` shows it"
        yield warning("camera", f"Picamera2 sees no camera: {PATTERN}", remedy)
    for one in answer.value or ():
        modes = ", ".join(one["modes"]) or "none that it tells"
        yield ok("camera", f"{one['camera']}{f', seen {how}' if how else ''}; sensor modes: {modes}")


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

"""Where Picamera2 is: behind a capture service, in this process, or under the system's Python."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from picam_webrtc.camera.capture_process import NoPicamera2, Service, Spawned, Way, spawned
from picam_webrtc.camera.picamera2_library import CameraLibrary, installed_library
from picam_webrtc.camera_settings import CAPTURE_SOCKET, CameraSettings
from picam_webrtc.errors import CameraError, SettingError

T = TypeVar("T")

SYSTEM_PYTHON = CameraSettings().camera_python
SYSTEM_PICAMERA2 = Path("/usr/lib/python3/dist-packages/picamera2")
"""Where Debian's package puts it. Looking costs nothing, and starting an interpreter on every PC would."""


def reach(settings: CameraSettings, here: Callable[[CameraLibrary], T], apart: Callable[[Way], T]) -> T:
    """`here` with this process' Picamera2, or `apart` by the way to a capture process that has one.

    Raises NoPicamera2 with the reasons of all three where there is none, SettingError for a camera_socket at which
    nobody listens, and what `here` and `apart` raise.
    """
    reasons = []
    for attempt in _attempts(settings, here, apart):
        try:
            return attempt()
        except NoPicamera2 as error:
            reasons.append(str(error))
    raise NoPicamera2(f"there is no Picamera2: {'; '.join(reasons)}")


def _attempts(
    settings: CameraSettings, here: Callable[[CameraLibrary], T], apart: Callable[[Way], T]
) -> Iterator[Callable[[], T]]:
    if settings.camera_process != "own":
        yield lambda: _service(settings, apart)
    if settings.camera_process != "separate":
        yield lambda: here(_own())
    if settings.camera_process != "own":
        yield lambda: apart(_system(settings))


def _own() -> CameraLibrary:
    try:
        return installed_library()
    except CameraError as error:
        raise NoPicamera2(str(error)) from error


def _service(settings: CameraSettings, apart: Callable[[Way], T]) -> T:
    named = settings.camera_socket
    if not named:
        if not CAPTURE_SOCKET.exists():
            raise NoPicamera2(f"no capture service is at {CAPTURE_SOCKET}")
        return apart(Service())
    try:
        return apart(Service(Path(named)))
    except NoPicamera2 as error:
        raise SettingError("camera_socket", named, str(error)) from error


def _system(settings: CameraSettings) -> Spawned:
    python = settings.camera_python
    if settings.camera_process == "auto" and python == SYSTEM_PYTHON and not SYSTEM_PICAMERA2.exists():
        raise NoPicamera2(f"{python} has none (there is no {SYSTEM_PICAMERA2})")
    return spawned(python)

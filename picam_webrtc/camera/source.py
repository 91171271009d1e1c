"""Where frames come from: the one interface, and the choice between its implementations."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from picam_webrtc.camera.automatic import AutomaticSource
from picam_webrtc.camera.bag import BagSource
from picam_webrtc.camera.capture_process import NoPicamera2
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.picamera2_library import CameraLibrary
from picam_webrtc.camera.reach import reach
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc.camera.seen import SeenCamera
from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.camera.video_file import VideoFileSource
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import TEST_PATTERN_FRAME_ID
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import QUARTER_TURNS

logger = logging.getLogger(__name__)

NO_CAMERA = "TEST PATTERN - NO CAMERA"


class FrameSource(Protocol):
    """One camera, or what stands in for one. Its text names it and what it gives, for the log.

    Used by one thread at a time, which `camera/capture.py` owns. May be opened again after a close.
    """

    @property
    def frame_rate(self) -> float | None:
        """Frames a second it is to deliver; None when it has a pace of its own."""

    def open(self) -> None:
        """Begin to produce frames. Raises CameraError, having rolled back a partial open."""

    def read(self, timeout_s: float) -> FrameSet | None:
        """The next frames, or None when there was none in that time. Raises CameraError when there will be none."""

    def close(self) -> None:
        """Free the camera; does nothing when it is closed. Raises CameraError when it cannot be freed."""


@runtime_checkable
class ControlledSource(Protocol):
    """A source whose camera has controls. `on_controls` is called when they are learnt by opening it, where `probe`
    could not learn them before; on the thread that opens.
    """

    on_controls: Callable[[ControlSet], object]

    def probe(self) -> ControlSet:
        """Learn the controls. Raises CameraError, and SettingError for what the camera cannot be set to."""

    def apply(self, plan: Plan) -> None:
        """Make changes that `ControlSet.plan` approved."""


def make_source(settings: CameraSettings, library: CameraLibrary | None = None) -> FrameSource:
    """The source that `settings.source` names, unopened; `library` replaces the installed Picamera2.

    Raises SettingError at once for what can never work: no such file, no such camera, no Picamera2.
    """
    check_sizes(settings)
    if settings.network and settings.source not in ("auto", "picamera2"):
        logger.warning("Parameter 'network' has no effect: source %s has no sensor", settings.source)
    match settings.source:
        case "auto":
            return _automatic(settings, library)
        case "video_file":
            return VideoFileSource(settings)
        case "bag":
            return BagSource(settings)
        case "test_pattern":
            return TestPatternSource(settings)
        case "picamera2":
            try:
                return _picamera2(settings, library)
            except CameraError as error:
                remedy = "or take source:=test_pattern, or source:=video_file"
                raise SettingError("source", settings.source, f"{error}; {remedy}") from error
        case other:
            raise SettingError("source", other, "must be one of auto, picamera2, video_file, bag, test_pattern")


def check_sizes(settings: CameraSettings) -> None:
    """Raises SettingError for sizes that no stream can have."""
    for name in ("width", "height", "lores_width", "lores_height"):
        if getattr(settings, name) % 2:
            raise SettingError(name, getattr(settings, name), "must be even: colour is shared by pairs of pixels")
    if settings.orientation not in QUARTER_TURNS:
        raise SettingError("orientation", settings.orientation, f"must be one of {', '.join(map(str, QUARTER_TURNS))}")
    if bool(settings.lores_width) != bool(settings.lores_height):
        name = "lores_height" if settings.lores_width else "lores_width"
        raise SettingError(name, 0, "give both lores_width and lores_height, or neither")
    for name, limit in (("lores_width", settings.width), ("lores_height", settings.height)):
        if getattr(settings, name) > limit:
            raise SettingError(name, getattr(settings, name), f"must be at most {limit}, as the main stream has")


def _picamera2(settings: CameraSettings, library: CameraLibrary | None) -> Picamera2Source | RemoteSource:
    if library is not None:
        return Picamera2Source(settings, library)

    def here(own: CameraLibrary) -> Picamera2Source | RemoteSource:
        return Picamera2Source(settings, own)

    return reach(settings, here, lambda way: RemoteSource(settings, way))


def _automatic(settings: CameraSettings, library: CameraLibrary | None) -> FrameSource:
    """The camera that Picamera2 sees. Without one the test pattern, as on a developer's machine; but where Picamera2
    is, or a camera was seen before, one is expected, looked for and warned of.
    """
    seen = SeenCamera.of(settings.camera_name)

    def find() -> Picamera2Source | RemoteSource:
        source = _picamera2(settings, library)
        seen.remember(f"{source.camera.model} {source.camera.id}")
        return source

    try:
        camera = find()
    except CameraError as error:
        expected = bool(seen.recall()) or not isinstance(error, NoPicamera2)
        return _without_camera(settings, find, str(error), expected)
    logger.info("Source auto takes Picamera2: it sees %s", camera.camera)
    return camera


def _without_camera(
    settings: CameraSettings, find: Callable[[], Picamera2Source | RemoteSource], missing: str, expected: bool
) -> FrameSource:
    pattern = TestPatternSource(replace(settings, frame_id=TEST_PATTERN_FRAME_ID), label=NO_CAMERA)
    if settings.test_pattern == "never":
        logger.warning("Source auto finds no camera, and looks for it: %s", missing)
        return AutomaticSource(find, None, missing)
    if expected:
        logger.warning("Source auto takes the test pattern until a camera comes: %s", missing)
        return AutomaticSource(find, pattern, missing)
    logger.info("Source auto takes the test pattern: %s", missing)
    return pattern

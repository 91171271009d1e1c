"""Source auto where a camera is expected and none is there: the test pattern until it comes, or nothing."""

import logging
from collections.abc import Callable
from typing import Protocol

from picam_webrtc.camera.clock import NS_PER_S, Clock, SystemClock
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.errors import CameraError, SettingError

logger = logging.getLogger(__name__)

LOOK_INTERVAL_S = 5.0
"""How often the camera is looked for while the test pattern is shown."""
REST_AFTER_LOOK = 10
"""Times as long as a look took: one for which a capture process must start takes seconds on a small machine."""


class Camera(Protocol):
    """What is looked for."""

    on_controls: Callable[[ControlSet], object]

    @property
    def frame_rate(self) -> float: ...

    def apply(self, plan: Plan) -> None: ...

    def open(self) -> None: ...

    def read(self, timeout_s: float) -> FrameSet | None: ...

    def close(self) -> None: ...


class AutomaticSource:
    """Looks for the camera at each opening, and every LOOK_INTERVAL_S or so while it shows the test pattern.

    Without a `pattern` an opening fails until there is a camera.
    """

    def __init__(
        self, find: Callable[[], Camera], pattern: TestPatternSource | None, missing: str, clock: Clock | None = None
    ) -> None:
        """`find` raises CameraError where there is no camera; `missing` is what it said at the start."""
        self._find = find
        self._pattern = pattern
        self._missing = missing
        self._clock = clock or SystemClock()
        self._camera: Camera | None = None
        self._shows_pattern = False
        self._look_ns = 0
        self.on_controls: Callable[[ControlSet], object] = _nobody

    def __str__(self) -> str:
        return str(self._camera or self._pattern or "no camera")

    @property
    def frame_rate(self) -> float | None:
        source = self._camera or self._pattern
        return source.frame_rate if source is not None else None

    @property
    def notice(self) -> str:
        """What is not as it should be, in one line; empty with a camera."""
        if self._camera is not None:
            return ""
        shown = "the test pattern is shown" if self._pattern is not None else "nothing is shown"
        return f"no camera, {shown}: {self._missing}"

    def probe(self) -> ControlSet:
        raise CameraError(self._missing)

    def apply(self, plan: Plan) -> None:
        if self._camera is not None:
            self._camera.apply(plan)

    def open(self) -> None:
        if self._look():
            self._open_camera()
        elif self._pattern is None:
            raise CameraError(self._missing)
        else:
            self._pattern.open()
            self._shows_pattern = True

    def read(self, timeout_s: float) -> FrameSet | None:
        if self._shows_pattern and self._pattern is not None:
            if self._clock.monotonic_ns() < self._look_ns or not self._look():
                return self._pattern.read(timeout_s)
            self._pattern.close()
            self._shows_pattern = False
            self._open_camera()
        if self._camera is None:
            raise CameraError(self._missing)
        return self._camera.read(timeout_s)

    def close(self) -> None:
        if self._shows_pattern and self._pattern is not None:
            self._pattern.close()
        self._shows_pattern = False
        if self._camera is not None:
            self._camera.close()

    def _look(self) -> bool:
        """Whether there is a camera, now or since earlier."""
        if self._camera is not None:
            return True
        begin_ns = self._clock.monotonic_ns()
        try:
            self._camera = self._find()
        except (CameraError, SettingError) as error:
            self._missing = str(error)
            end_ns = self._clock.monotonic_ns()
            rest_ns = max(int(LOOK_INTERVAL_S * NS_PER_S), REST_AFTER_LOOK * (end_ns - begin_ns))
            self._look_ns = end_ns + rest_ns
            return False
        logger.info("The camera has come: %s", self._camera)
        return True

    def _open_camera(self) -> None:
        assert self._camera is not None  # noqa: S101 - called where _look() has found it
        self._camera.on_controls = self.on_controls
        self._camera.open()


def _nobody(_: ControlSet) -> None:
    """Nobody asked to hear of controls."""

"""Recorded pictures shown at their own pace, as if a camera took them now."""

from abc import ABC, abstractmethod
from collections.abc import Generator

from picam_webrtc.camera.clock import NS_PER_S, Clock, SystemClock, wait_until
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame, Pixels

LATE_NS = NS_PER_S // 2
"""A decoder this far behind will not catch up: the timetable moves instead."""

Picture = tuple[float, Pixels, str]
"""When it is due, seconds after the first one, its pixels and their encoding."""


class Player(ABC):
    """A source whose pictures come from the endless generator `_play`; each is stamped with the time at which it is
    shown. `name` says what is played, for errors; `turn` is how far it is to be turned clockwise [degree].
    """

    frame_rate = None

    def __init__(self, name: str, frame_id: str, clock: Clock | None = None, turn: int = 0) -> None:
        self._name = name
        self._turn = turn
        self._frame_id = frame_id
        self._clock = clock or SystemClock()
        self._pictures: Generator[Picture, None, None] | None = None
        self._next: Picture | None = None
        self._start_ns = 0

    @abstractmethod
    def _play(self) -> Generator[Picture, None, None]:
        """All pictures, again and again. Raises CameraError when they cannot be read any more."""

    def open(self) -> None:
        """Raises CameraError when there is not even a first picture."""
        pictures = self._play()
        self._next = next(pictures)
        self._pictures = pictures
        self._start_ns = self._clock.monotonic_ns()

    def read(self, timeout_s: float) -> FrameSet | None:
        """The next picture when it is due, or None when it is not in that time. Raises CameraError."""
        if self._pictures is None:
            raise CameraError(f"{self._name} is not open")
        due_s, pixels, encoding = self._next = self._next or next(self._pictures)
        due_ns = self._start_ns + int(due_s * NS_PER_S)
        if not wait_until(self._clock, due_ns, timeout_s):
            return None
        late_ns = self._clock.monotonic_ns() - due_ns
        if late_ns > LATE_NS:
            self._start_ns += late_ns
        self._next = None
        return FrameSet(Frame(pixels, encoding, self._clock.realtime_ns(), self._frame_id), turn=self._turn)

    def close(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
        self._pictures = self._next = None

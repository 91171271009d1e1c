"""What it means that no frames come while somebody asks for them: nothing at first, then a warning, then an error."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median_low
from typing import Protocol

from picam_webrtc.verdict import Level

REMEMBERED = 8
"""Frames by which it is known how often they usually come."""
MISSED = 3
"""So many frames that are usual must not have come: a map that comes every five seconds is not silent after two."""


class SilenceLimits(Protocol):
    """The parameters of these names [s]."""

    @property
    def silence_warning(self) -> float: ...

    @property
    def silence_error(self) -> float: ...


class Pace:
    """When frames come, counted on one thread and read from any other."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._since_s = now_s()
        self._times_s: deque[float] = deque(maxlen=REMEMBERED)

    def restart(self) -> None:
        """Frames are asked for from now on."""
        with self._lock:
            self._since_s = self._now_s()
            self._times_s.clear()

    def count(self) -> None:
        """A frame has come."""
        with self._lock:
            self._since_s = self._now_s()
            self._times_s.append(self._since_s)

    @property
    def silent_s(self) -> float:
        """Since the last frame, or since frames have been asked for."""
        return self._now_s() - self._since_s

    @property
    def usual_gap_s(self) -> float:
        """Between two frames; 0 while that is not known."""
        with self._lock:
            gaps = [later - earlier for earlier, later in pairwise(self._times_s)]
        return median_low(gaps) if gaps else 0.0


def silence_level(limits: SilenceLimits, silent_s: float, usual_gap_s: float = 0.0) -> Level:
    """How bad it is that there has been no frame for `silent_s`, where they usually come `usual_gap_s` apart.

    Frames that come rarely may stay away longer, by as much as it takes to miss MISSED of them.
    """
    stretch = max(1.0, MISSED * usual_gap_s / limits.silence_warning)
    if silent_s >= stretch * limits.silence_error:
        return Level.ERROR
    return Level.WARN if silent_s >= stretch * limits.silence_warning else Level.OK

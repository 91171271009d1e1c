"""What diagnostics tell of a stream of frames, over the last seconds."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from picam_webrtc.camera.capture import CaptureState, CaptureStatus
from picam_webrtc.camera.clock import NS_PER_S
from picam_webrtc.verdict import Level, Verdict

WINDOW_S = 5.0
HUNG_S = 10.0
"""A capture thread that says nothing for so long hangs in its driver: the watchdog speaks sooner."""
HOPELESS_ATTEMPTS = 2
"""From so many faults in a row on it is an error: one reopening did not help."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates in frames a second, delays from stamp to arrival. None where there are too few frames to tell."""

    events_in_window: int
    events_since_start: int
    window_s: float
    frequency: float | None
    target_frequency: float | None
    delay_mean_s: float | None
    delay_max_s: float | None
    dropped: int
    tolerance: float = 0.1

    @property
    def acceptable(self) -> tuple[float, float]:
        """Lowest and highest rate; anything goes where there is no target."""
        if self.target_frequency is None:
            return 0.0, inf
        return (1 - self.tolerance) * self.target_frequency, (1 + self.tolerance) * self.target_frequency


class FrameFigures:
    """Counts frames on the thread that has them; read from any other."""

    def __init__(
        self, target_frequency: Callable[[], float | None], tolerance: Callable[[], float] = lambda: 0.1
    ) -> None:
        self._target = target_frequency
        self._tolerance = tolerance
        self._lock = threading.Lock()
        self._window: deque[tuple[int, int]] = deque()
        self._total = 0
        self._dropped = 0
        self._last_stamp_ns: int | None = None

    def record(self, stamp_ns: int, now_ns: int) -> None:
        """One frame, by its stamp and by the time it was handed on, both CLOCK_REALTIME."""
        with self._lock:
            self._total += 1
            self._dropped += self._missing_before(stamp_ns)
            self._last_stamp_ns = stamp_ns
            self._window.append((stamp_ns, now_ns))
            self._forget_before(now_ns)

    def restart(self) -> None:
        """A stream that begins anew: the pause before it is no loss and no low rate."""
        with self._lock:
            self._window.clear()
            self._last_stamp_ns = None

    def snapshot(self, now_ns: int) -> Figures:
        with self._lock:
            self._forget_before(now_ns)
            arrivals = [arrival for _, arrival in self._window]
            delays = [(arrival - stamp) / NS_PER_S for stamp, arrival in self._window]
            span_s = (arrivals[-1] - arrivals[0]) / NS_PER_S if arrivals else 0.0
            return Figures(
                events_in_window=len(arrivals),
                events_since_start=self._total,
                window_s=(now_ns - arrivals[0]) / NS_PER_S if arrivals else 0.0,
                frequency=(len(arrivals) - 1) / span_s if span_s > 0 else None,
                target_frequency=self._target(),
                delay_mean_s=sum(delays) / len(delays) if delays else None,
                delay_max_s=max(delays, default=None),
                dropped=self._dropped,
                tolerance=self._tolerance(),
            )

    def _missing_before(self, stamp_ns: int) -> int:
        """Frames that should have been between the last one and this, after their stamps."""
        target = self._target()
        if self._last_stamp_ns is None or target is None:
            return 0
        gap_ns = stamp_ns - self._last_stamp_ns
        if not 0 < gap_ns < WINDOW_S * NS_PER_S:  # the clock was stepped, or the stream paused
            return 0
        return max(0, round(gap_ns * target / NS_PER_S) - 1)

    def _forget_before(self, now_ns: int) -> None:
        begin_ns = now_ns - int(WINDOW_S * NS_PER_S)
        # A clock stepped back leaves arrivals in the future: they tell nothing either.
        while self._window and not begin_ns <= self._window[0][1] <= now_ns:
            self._window.popleft()


def judge(status: CaptureStatus, figures: Figures) -> Verdict:
    """How the camera does, in one line."""
    match status.state:
        case CaptureState.STOPPED:
            return Level.OK, "idle: nobody subscribes"
        case CaptureState.OPENING | CaptureState.LIVE if status.silent_s > HUNG_S:
            return Level.ERROR, f"neither frame nor fault for {status.silent_s:.0f} s: its driver hangs"
        case CaptureState.OPENING:
            return Level.OK, "opening"
        case CaptureState.FAULT:
            level = Level.ERROR if status.attempts >= HOPELESS_ATTEMPTS else Level.WARN
            return level, f"no frames, opening again: {status.last_error}"
        case CaptureState.LIVE:
            return _judge_rate(figures)


def _judge_rate(figures: Figures) -> Verdict:
    low, high = figures.acceptable
    if figures.events_in_window == 0:
        return Level.WARN, "no frames"
    if figures.frequency is None:
        return Level.OK, "started"
    if not low <= figures.frequency <= high:
        return Level.WARN, f"{figures.frequency:.1f} frames/s, not {low:.1f} to {high:.1f}"
    return Level.OK, "delivers"

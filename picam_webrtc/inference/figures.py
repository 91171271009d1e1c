"""What the engine has done, counted on its thread and read by diagnostics."""

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from picam_webrtc.silence import Pace

WINDOW = 300
"""Frames that rates and times are made from."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`model` is empty while none is loaded. Counts are from the first start on; rates and times of the last frames."""

    model: str
    task: str
    running: bool
    frames: int
    dropped: int
    failures: int
    last_failure: str
    """What was wrong with the newest frame; empty when nothing was."""
    window_frames: int
    window_s: float
    rate_hz: float
    inference_ms_p50: float
    inference_ms_p95: float
    silent_s: float = 0.0
    """How long no frame has come while frames are asked for; `usual_gap_s` apart is how they usually come."""
    usual_gap_s: float = 0.0


class Figures:
    """Counts and times, written by the thread `infer` and read by others."""

    def __init__(self) -> None:
        self.dropped_before = 0
        self.pace = Pace()
        self._lock = threading.Lock()
        self._frames = 0
        self._failures = 0
        self._last_failure = ""
        self._finished: deque[float] = deque(maxlen=WINDOW)
        self._inference_ns: deque[int] = deque(maxlen=WINDOW)

    def restart(self) -> None:
        """Begin a new window: a pause is no low rate."""
        with self._lock:
            self._finished.clear()
            self._inference_ns.clear()
        self.pace.restart()

    def add(self, inference_ns: int, *, looked_at: bool) -> None:
        """A frame is done, after so long; 0 where nobody knows. Whether a model looked at it."""
        with self._lock:
            self._frames += 1
            self._finished.append(time.monotonic())
            if looked_at:
                self._last_failure = ""
            if inference_ns:
                self._inference_ns.append(inference_ns)

    def is_new_failure(self, text: str) -> bool:
        """Count a failure; whether it is another one than the last frame's."""
        with self._lock:
            self._failures += 1
            last, self._last_failure = self._last_failure, text
            return text != last

    def snapshot(self, model: str, task: str, *, running: bool, dropped: int) -> Snapshot:
        with self._lock:
            frames, failures, last_failure = self._frames, self._failures, self._last_failure
            times, durations = list(self._finished), list(self._inference_ns)
        # Up to now, not up to the last frame: an engine that stands still slows down.
        window_s = time.monotonic() - times[0] if times else 0.0
        p50, p95 = np.percentile(durations, (50, 95)) / 1e6 if durations else (0.0, 0.0)
        return Snapshot(
            model=model,
            task=task,
            running=running,
            frames=frames,
            dropped=self.dropped_before + dropped,
            failures=failures,
            last_failure=last_failure,
            window_frames=len(times),
            window_s=window_s,
            rate_hz=(len(times) - 1) / window_s if len(times) > 1 and window_s > 0 else 0.0,
            inference_ms_p50=float(p50),
            inference_ms_p95=float(p95),
            silent_s=self.pace.silent_s if running else 0.0,
            usual_gap_s=self.pace.usual_gap_s,
        )

"""Stand-ins for time and for cameras; Picamera2's is in fake_picamera2.py."""

import queue
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame

TIMEOUT_S = 10.0
"""Long enough for any machine; no test waits for it unless it fails."""


class FakeClock:
    """Time that passes only in sleep_ns()."""

    def __init__(self, realtime_ns: int = 1_700_000_000_000_000_000) -> None:
        self.now_ns = 5_000_000_000
        self.real_offset_ns = realtime_ns - self.now_ns
        self.slept_ns: list[int] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def boottime_ns(self) -> int:
        return self.now_ns

    def realtime_ns(self) -> int:
        return self.now_ns + self.real_offset_ns

    def sleep_ns(self, duration_ns: int) -> None:
        self.slept_ns.append(duration_ns)
        self.now_ns += duration_ns


def make_frame_set(stamp_ns: int = 1, metadata: Mapping[str, Any] | None = None, lores: bool = False) -> FrameSet:
    frame = Frame(np.zeros((4, 6, 3), np.uint8), "bgr8", stamp_ns, "optical")
    small = Frame(np.zeros((3, 4), np.uint8), "nv12", stamp_ns, "optical") if lores else None
    return FrameSet(frame, small, metadata or {})


class FakeSource:
    """Delivers what a test puts into `frame_sets`: frames of one moment, or an error to raise."""

    frame_rate: float | None = 30.0

    def __init__(self) -> None:
        self.frame_sets: queue.SimpleQueue[FrameSet | Exception] = queue.SimpleQueue()
        self.open_errors: list[Exception] = []
        self.log: list[str] = []
        self.opened = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)

    def __str__(self) -> str:
        return "fake camera"

    def open(self) -> None:
        self.log.append("open")
        self.opened.release()
        if self.open_errors:
            raise self.open_errors.pop(0)

    def read(self, timeout_s: float) -> FrameSet | None:
        try:
            frame_set = self.frame_sets.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(frame_set, Exception):
            raise frame_set
        return frame_set

    def close(self) -> None:
        self.log.append("close")
        self.closed.release()


class Gone(CameraError):
    """A fault that a test makes."""

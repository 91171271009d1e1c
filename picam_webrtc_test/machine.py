"""Whether the machine is ours: a virtual one's host may give its processors to others for seconds or minutes."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

STAT = Path("/proc/stat")
BUSY, STOLEN = (1, 2, 3, 6, 7), 8
"""Columns of the line `cpu` in proc_stat(5): user, nice, system, irq, softirq; steal."""
PROBE_S, PAUSE_S = 1.0, 2.0
LEAST_SHARE = 0.9
CALM_TIMEOUT_S = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
WINDOW_S = 0.2
MOST_STOLEN, MOST_STOLEN_IN_WINDOW_S = 0.05, 0.1
"""For a measurement to tell something of ours: of the time wanted, and of that of all processors within a window. The
latter is three frames at 30 Hz.
"""
SPOILED = pytest.StashKey[bool]()
"""Of a module whose tests share a measurement: whether that was disturbed."""


@dataclass(frozen=True)
class CpuTimes:
    """Of all processors since the start [ticks]: what ran, and what would have had the host not run others."""

    busy: int
    stolen: int
    at_s: float

    @classmethod
    def now(cls) -> Self:
        columns = STAT.read_text().split("\n", 1)[0].split()
        return cls(sum(int(columns[column]) for column in BUSY), int(columns[STOLEN]), time.monotonic())

    def share_stolen_since(self, earlier: "CpuTimes") -> float:
        """Of the time wanted."""
        stolen = self.stolen - earlier.stolen
        return stolen / max(1, stolen + self.busy - earlier.busy)

    def window_stolen_s_since(self, earlier: "CpuTimes") -> float:
        """Within a window, on the average where the time since then is longer."""
        seconds = (self.stolen - earlier.stolen) / TICKS_PER_S
        return seconds * WINDOW_S / max(WINDOW_S, self.at_s - earlier.at_s)


@dataclass(frozen=True)
class Disturbance:
    """What the host took: of the time wanted, and at most within one window."""

    share: float
    worst_s: float

    @property
    def spoils(self) -> bool:
        """Whether it was too much for what was measured meanwhile to tell something of ours."""
        return self.share > MOST_STOLEN or self.worst_s > MOST_STOLEN_IN_WINDOW_S

    def __str__(self) -> str:
        return f"others had {self.share:.1%} of the processors' time, up to {self.worst_s:.2f} s in {WINDOW_S} s"


@contextmanager
def watched() -> Iterator[Callable[[], Disturbance]]:
    """How the machine was disturbed during the block; to be called after it."""
    times = [CpuTimes.now()]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WINDOW_S):
            times.append(CpuTimes.now())
        times.append(CpuTimes.now())

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield lambda: Disturbance(
            times[-1].share_stolen_since(times[0]),
            max(late.window_stolen_s_since(early) for early, late in itertools.pairwise(times)),
        )
    finally:
        over.set()
        thread.join()


def wait_for_calm(timeout_s: float) -> None:
    """Return once an empty loop gets a processor almost for itself, or after the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while _share_of_a_processor() < LEAST_SHARE and time.monotonic() < deadline_s:
        time.sleep(PAUSE_S)


def _share_of_a_processor() -> float:
    begin_s, used_s = time.monotonic(), time.thread_time()
    while time.monotonic() - begin_s < PROBE_S:
        pass
    return (time.thread_time() - used_s) / (time.monotonic() - begin_s)

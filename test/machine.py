"""Whether the machine is ours: a virtual one's host may give its processors to others for seconds or minutes."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

STAT = Path("/proc/stat")
BUSY, STOLEN = (1, 2, 3, 6, 7), 8
"""Columns of the line `cpu` in proc_stat(5): user, nice, system, irq, softirq; steal."""
PROBE_S, PAUSE_S = 0.2, 1.0
LEAST_SHARE = 0.8
CALM_TIMEOUT_S = 20.0
MOST_STOLEN = 0.05
"""Of the processors' time during a measurement, for it to tell something of ours."""
MOST_RUNS = 3


@dataclass(frozen=True)
class CpuTimes:
    """Of all processors since the start [ticks]: what ran, and what would have run had the host not run others."""

    busy: int
    stolen: int

    @classmethod
    def now(cls) -> Self:
        columns = STAT.read_text().split("\n", 1)[0].split()
        return cls(sum(int(columns[column]) for column in BUSY), int(columns[STOLEN]))

    def stolen_since(self, earlier: "CpuTimes") -> float:
        """The share of the time wanted that was not given."""
        stolen = self.stolen - earlier.stolen
        return stolen / max(1, stolen + self.busy - earlier.busy)

    def spoiled(self) -> bool:
        """Whether others have had too much of the machine from this moment until now."""
        return self.now().stolen_since(self) > MOST_STOLEN


def wait_for_calm(timeout_s: float = CALM_TIMEOUT_S) -> None:
    """Return once an empty loop gets a processor almost for itself, or after the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while _share_of_a_processor() < LEAST_SHARE and time.monotonic() < deadline_s:
        time.sleep(PAUSE_S)


def _share_of_a_processor() -> float:
    begin_s, used_s = time.monotonic(), time.thread_time()
    while time.monotonic() - begin_s < PROBE_S:
        pass
    return (time.thread_time() - used_s) / (time.monotonic() - begin_s)

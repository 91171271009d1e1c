"""What a process costs, from /proc."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
UTIME, STIME = 11, 12
"""Fields of /proc/<pid>/stat, counted behind the program's name (proc(5))."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds at a moment."""

    rss_mb: float
    descriptors: int
    threads: int

    def least(self, other: Self) -> Self:
        """Of either, each figure by itself."""
        return replace(
            self,
            rss_mb=min(self.rss_mb, other.rss_mb),
            descriptors=min(self.descriptors, other.descriptors),
            threads=min(self.threads, other.threads),
        )


def cpu_s(pid: int) -> float:
    """Processor time used so far, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS_PER_S


def holdings(pid: int | Literal["self"]) -> Holdings:
    process = Path(f"/proc/{pid}")
    resident_pages = int((process / "statm").read_text().split()[1])
    return Holdings(
        rss_mb=resident_pages * PAGE_BYTES / (1 << 20),
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
    )

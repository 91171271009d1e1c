"""The clocks that frames are paced and stamped by."""

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
OFFSET_READINGS = 3
"""Of so many readings the tightest counts: one that was interrupted midway is not."""


class Clock(Protocol):
    """Time and waiting, so that tests need neither."""

    def monotonic_ns(self) -> int: ...

    def boottime_ns(self) -> int: ...

    def realtime_ns(self) -> int: ...

    def sleep_ns(self, duration_ns: int) -> None: ...


class SystemClock:
    """The machine's own."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def realtime_ns(self) -> int:
        return time.time_ns()

    def sleep_ns(self, duration_ns: int) -> None:
        time.sleep(duration_ns / NS_PER_S)


def boot_to_real_ns(clock: Clock) -> int:
    """What to add to a CLOCK_BOOTTIME reading to get CLOCK_REALTIME, now.

    Read it for every frame: NTP slews and steps CLOCK_REALTIME while the node runs.
    """
    readings = []
    for _ in range(OFFSET_READINGS):
        before = clock.boottime_ns()
        real = clock.realtime_ns()
        after = clock.boottime_ns()
        readings.append((after - before, real - (before + after) // 2))
    return min(readings)[1]


def wait_until(clock: Clock, due_ns: int, timeout_s: float) -> bool:
    """Sleep until `due_ns` (CLOCK_MONOTONIC), at most `timeout_s`; whether it has come."""
    wait_ns = due_ns - clock.monotonic_ns()
    timeout_ns = int(timeout_s * NS_PER_S)
    if wait_ns > timeout_ns:
        clock.sleep_ns(timeout_ns)
        return False
    if wait_ns > 0:
        clock.sleep_ns(wait_ns)
    return True

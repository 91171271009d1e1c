"""Ends this process when it hangs, in whatever: a driver, a lock, or C code that keeps Python's interpreter lock."""

import faulthandler
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STDERR = 2
"""The descriptor: whatever takes the place of sys.stderr may have none."""
REARMINGS = 4
"""In the time of a limit: each starts a thread of faulthandler's (some 60 us)."""


def end_after(limit_s: float) -> None:
    """In `limit_s` from now, unless called again or cancelled, with a traceback of where it hung."""
    faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR)


class HangGuard:
    """Whoever is watched comes by more often than its limit, or the process ends."""

    def __init__(
        self,
        arm: Callable[[float], None] = end_after,
        disarm: Callable[[], None] = faulthandler.cancel_dump_traceback_later,
    ) -> None:
        self._arm = arm
        self._disarm = disarm
        self._armed_s: float | None = None

    def watch(self, limit_s: float) -> None:
        """Come by. The limit counts from here or a little earlier."""
        now_s = time.monotonic()
        if self._armed_s is None or now_s - self._armed_s > limit_s / REARMINGS:
            self._arm(limit_s)
            self._armed_s = now_s

    def rest(self) -> None:
        """Stop watching."""
        if self._armed_s is not None:
            self._disarm()
            self._armed_s = None

    @contextmanager
    def watching(self, limit_s: float) -> Iterator[None]:
        """For one piece of work, with a limit of its own."""
        self.rest()
        self.watch(limit_s)
        try:
            yield
        finally:
            self.rest()

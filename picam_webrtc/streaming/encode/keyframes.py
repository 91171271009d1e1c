"""When a key frame is due: soon after anyone asks, never more often than allowed, and now and then unasked."""

import threading


class KeyframeGate:
    """Requests come from any thread and are merged; the encode thread asks `due` once a frame.

    Thirty viewers that lose the same packet cost one key frame, and a request that comes too early
    waits for the end of the minimum interval instead of being lost.
    """

    def __init__(self, interval_s: float, min_interval_s: float) -> None:
        self.interval_s = interval_s
        self.min_interval_s = min_interval_s
        self._lock = threading.Lock()
        self._wanted = True
        self._last_s: float | None = None
        self.asked = 0
        self.given = 0

    def request(self) -> None:
        with self._lock:
            self._wanted = True
            self.asked += 1

    def due(self, now_s: float) -> bool:
        """Whether the frame that is encoded at `now_s` must be a key frame."""
        with self._lock:
            if self._last_s is None:
                return True
            age_s = now_s - self._last_s
            return age_s >= self.interval_s or (self._wanted and age_s >= self.min_interval_s)

    def passed(self, now_s: float) -> None:
        """A key frame has been made at `now_s`: everyone who asked so far is served by it."""
        with self._lock:
            self._wanted = False
            self._last_s = now_s
            self.given += 1

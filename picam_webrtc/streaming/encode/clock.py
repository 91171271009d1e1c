"""Capture stamps to media time."""

from picam_webrtc.streaming.encode.rendition import VIDEO_CLOCK_HZ

NANOSECONDS = 1_000_000_000
LONGEST_GAP = 10 * VIDEO_CLOCK_HZ
NOMINAL_STEP = VIDEO_CLOCK_HZ // 30


class MediaClock:
    """Maps `Frame.stamp_ns` to 90 kHz timestamps that only go up.

    Differences between timestamps are those between stamps. A stamp that goes back or leaps ahead (a clock
    that is set, a recording that starts again) moves the origin, so that viewers see an ordinary step.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._origin_ns: int | None = None
        self._last = 0

    def timestamp(self, stamp_ns: int) -> int:
        if self._origin_ns is None:
            self._origin_ns = stamp_ns
            return self._start
        timestamp = (stamp_ns - self._origin_ns) * VIDEO_CLOCK_HZ // NANOSECONDS
        if not 0 < timestamp - self._last <= LONGEST_GAP:
            timestamp = self._last + NOMINAL_STEP
            self._origin_ns = stamp_ns - timestamp * NANOSECONDS // VIDEO_CLOCK_HZ
        self._last = timestamp
        return self._start + timestamp


class FramePacer:
    """Leaves out frames beyond a rate, yet none of a source that runs at about that rate."""

    SLACK = 1.02
    """How much faster than the limit a source may run, because camera clocks differ."""
    EARLY = 0.5
    """Of a frame's duration: how early a single frame may come, because cameras jitter."""

    def __init__(self, frame_rate: float) -> None:
        self.frame_rate = frame_rate
        self._due: float | None = None

    def admits(self, timestamp: int) -> bool:
        """Whether the frame of that media time [90 kHz] is to be encoded."""
        period = VIDEO_CLOCK_HZ / (self.frame_rate * self.SLACK)
        if self._due is None or timestamp >= self._due + period:
            self._due = timestamp + period
            return True
        if timestamp < self._due - self.EARLY * period:
            return False
        self._due += period
        return True

"""Runs something while it is wanted, and for a while after."""

from collections.abc import Callable

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.timer import Timer

from picam_webrtc.ros.process.logs import speaking_for
from picam_webrtc.ros.process.memory import tidy

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""For timeouts, which a simulated clock must not stretch."""


class OnDemand:
    """Calls `start` when first wanted and `stop` when unwanted for `idle_timeout_s()` seconds, while it is allowed to.

    Everything happens on the thread that spins `node`.
    """

    def __init__(
        self,
        node: Node,
        start: Callable[[], None],
        stop: Callable[[], None],
        idle_timeout_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._node = node
        self._start = start
        self._stop = stop
        self._idle_timeout_s = idle_timeout_s
        self._timer: Timer | None = None
        self._wanted = False
        self._allowed = True
        self.running = False

    def want(self, wanted: bool) -> None:
        self._wanted = wanted
        self._cancel_timer()
        if wanted and self._allowed and not self.running:
            self.running = True
            with speaking_for(self._node):
                self._start()
        elif not wanted and self.running:
            self._stop_after(self._idle_timeout_s())

    def allow(self, allowed: bool) -> None:
        """Without permission it stops at once and does not start, however much it is wanted."""
        self._allowed = allowed
        if allowed:
            self.want(self._wanted)
        else:
            self.close()

    def _stop_after(self, seconds: float) -> None:
        if seconds > 0:
            self._timer = self._node.create_timer(seconds, self.close, clock=STEADY)
        else:
            self.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None

    def close(self) -> None:
        """Stop at once if running."""
        self._cancel_timer()
        if self.running:
            self.running = False
            with speaking_for(self._node):
                self._stop()
            tidy(self._node)

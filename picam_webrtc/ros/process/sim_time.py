"""Stamps under use_sim_time: ROS time on topics, the system's time inside the engines."""

import time
from collections import OrderedDict
from dataclasses import replace

from rclpy.node import Node

from picam_webrtc.frame import Frame

REMEMBERED_STAMPS = 64
"""More than there ever are of one topic between camera and encoder."""


class StampClock:
    """Translates stamps while the node uses simulated time, and leaves them alone otherwise.

    One ROS stamp always becomes the same system stamp, so that what belongs together stays together.
    """

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()
        self._system: OrderedDict[int, int] = OrderedDict()
        self._ros: dict[int, int] = {}
        self._published: tuple[int, int] | None = None

    @property
    def simulated(self) -> bool:
        return bool(self._clock.ros_time_is_active)

    def to_ros(self, frame: Frame) -> Frame:
        """A frame of an engine for a topic; frames of one stamp, as those of one exposure are, keep one."""
        if not self.simulated:
            return frame
        if self._published is None or self._published[0] != frame.stamp_ns:
            self._published = frame.stamp_ns, frame.stamp_ns + self._offset_ns()
        return replace(frame, stamp_ns=self._published[1])

    def to_system(self, frame: Frame) -> Frame:
        """A frame of a topic for an engine; its stamps advance as real time does, however fast simulation runs."""
        return replace(frame, stamp_ns=self.system_stamp(frame.stamp_ns)) if self.simulated else frame

    def system_stamp(self, stamp_ns: int) -> int:
        if not self.simulated:
            return stamp_ns
        if stamp_ns not in self._system:
            system_ns = self._system[stamp_ns] = stamp_ns - self._offset_ns()
            self._ros[system_ns] = stamp_ns
            while len(self._system) > REMEMBERED_STAMPS:
                self._ros.pop(self._system.popitem(last=False)[1], None)
        return self._system[stamp_ns]

    def ros_stamp(self, system_ns: int) -> int:
        """The ROS stamp that became this system stamp a moment ago."""
        return self._ros.get(system_ns, system_ns)

    def _offset_ns(self) -> int:
        return int(self._clock.now().nanoseconds) - time.time_ns()

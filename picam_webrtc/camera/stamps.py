"""When a frame was taken, on the clock that ROS uses."""

from collections.abc import Mapping
from typing import Any

from picam_webrtc.camera.clock import Clock, boot_to_real_ns

CREDIBLE_ERROR_NS = 20_000_000
"""libcamera derives FrameWallClock by regression over many frames; for seconds after CLOCK_REALTIME was
stepped it is further off than this, and wrong."""


def stamp_ns(metadata: Mapping[str, Any], clock: Clock) -> int:
    """CLOCK_REALTIME of the first row's readout [ns]; exposure began `ExposureTime` before.

    FrameWallClock where libcamera gives one that agrees with the clocks as they are now, else
    SensorTimestamp (CLOCK_BOOTTIME), else the present.
    """
    wall_ns, boot_ns = metadata.get("FrameWallClock"), metadata.get("SensorTimestamp")
    if boot_ns is None:
        return clock.realtime_ns() if wall_ns is None else int(wall_ns)
    moved_ns = int(boot_ns) + boot_to_real_ns(clock)
    if wall_ns is not None and abs(int(wall_ns) - moved_ns) < CREDIBLE_ERROR_NS:
        return int(wall_ns)
    return moved_ns

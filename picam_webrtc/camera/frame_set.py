"""What one exposure gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from picam_webrtc.frame import Frame
from picam_webrtc.sensor_outputs import SensorOutputs


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """The main frame, a smaller one of the same moment where the camera makes it, and the sensor's metadata.

    `lores` has the stamp and frame_id of `frame`. `metadata` is named as libcamera names it
    (`ExposureTime` [us], `SensorTemperature` [°C], ...) and empty for sources without a sensor. `turn` is how far the
    frames are still to be turned clockwise [degree]. `sensor_outputs` are there, be they empty, where the sensor runs a
    network.
    """

    frame: Frame
    lores: Frame | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    turn: int = 0
    sensor_outputs: SensorOutputs | None = None

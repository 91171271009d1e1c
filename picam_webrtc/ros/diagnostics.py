"""A node's health on /diagnostics, once a second (REP 107)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from picam_webrtc.camera.capture import CaptureStatus
from picam_webrtc.camera.figures import Figures, judge

PERIOD_S = 1.0
LEVELS = (DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR)
METADATA = {
    "SensorTemperature": "Sensor temperature (°C)",
    "ExposureTime": "Exposure time (us)",
    "AnalogueGain": "Analogue gain",
    "DigitalGain": "Digital gain",
    "ColourTemperature": "Colour temperature (K)",
    "Lux": "Illuminance (lx)",
    "LensPosition": "Lens position (1/m)",
}
"""libcamera's metadata that tells something about the camera's state → key in the report."""


@dataclass(frozen=True, slots=True)
class Report:
    """`level` is 0 for OK, 1 for WARN, 2 for ERROR."""

    level: int
    message: str
    values: Mapping[str, str]


class Diagnostics:
    """Publishes what `report()` says, under "<node>: <task>"; `hardware_id` names the device."""

    def __init__(self, node: Node, task: str, hardware_id: str, report: Callable[[], Report]) -> None:
        self._node = node
        self._name = f"{node.get_fully_qualified_name().lstrip('/')}: {task}"
        self._hardware_id = hardware_id
        self._report = report
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._timer = node.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        report = self._report()
        status = DiagnosticStatus(
            level=LEVELS[report.level],
            name=self._name,
            message=report.message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def close(self) -> None:
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)


def camera_report(status: CaptureStatus, figures: Figures) -> Report:
    level, message = judge(status, figures)
    low, high = figures.acceptable
    values = {
        "Events in window": str(figures.events_in_window),
        "Events since startup": str(figures.events_since_start),
        "Duration of window (s)": f"{figures.window_s:.3f}",
        "Actual frequency (Hz)": _number(figures.frequency),
        "Target frequency (Hz)": _number(figures.target_frequency),
        "Minimum acceptable frequency (Hz)": _number(low),
        "Maximum acceptable frequency (Hz)": _number(high),
        "Stamp delay, mean (s)": _number(figures.delay_mean_s, 6),
        "Stamp delay, maximum (s)": _number(figures.delay_max_s, 6),
        "Dropped frames": str(figures.dropped),
        "Camera faults": str(status.faults),
        "Handler errors": str(status.handler_errors),
    }
    seen = {key: str(status.metadata[name]) for name, key in METADATA.items() if name in status.metadata}
    return Report(level, message, values | seen)


def _number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"

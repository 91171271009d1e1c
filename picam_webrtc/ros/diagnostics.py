"""A node's health on /diagnostics, once a second (REP 107)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from picam_webrtc.camera.capture import CaptureStatus
from picam_webrtc.camera.figures import Figures, judge
from picam_webrtc.inference.figures import Snapshot
from picam_webrtc.ros.on_demand import STEADY
from picam_webrtc.ros.qos import OVERRIDABLE
from picam_webrtc.settings import InferenceSettings

PERIOD_S = 1.0
DEPTH = 1
"""What is reported next says all that the report before it said."""
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
        self._publisher = node.create_publisher(
            DiagnosticArray, "/diagnostics", DEPTH, qos_overriding_options=OVERRIDABLE
        )
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=STEADY)

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


def inference_report(settings: InferenceSettings, figures: Snapshot) -> Report:
    level, message = _judge_inference(settings, figures)
    values = {
        "Model": figures.model or "none",
        "Task": figures.task or "none",
        "Events in window": str(figures.window_frames),
        "Events since startup": str(figures.frames),
        "Duration of window (s)": f"{figures.window_s:.3f}",
        "Actual frequency (Hz)": _number(figures.rate_hz),
        "Inference, median (ms)": _number(figures.inference_ms_p50),
        "Inference, 95th percentile (ms)": _number(figures.inference_ms_p95),
        "Dropped frames": str(figures.dropped),
        "Failed frames": str(figures.failures),
    }
    return Report(level, message, values)


def _judge_inference(settings: InferenceSettings, figures: Snapshot) -> tuple[int, str]:
    if settings.transform == "none":
        return 0, "frames pass through: transform is none"
    if not figures.model:
        return 1, f"nothing is detected: the model {settings.model} has not been fetched"
    if not settings.enabled:
        return 0, "frames pass through: not enabled"
    if not figures.running:
        return 0, "idle: nobody subscribes"
    if figures.last_failure:
        return 2, f"frames pass through: {figures.last_failure}"
    if figures.rate_hz is not None and figures.rate_hz < settings.min_rate:
        return 1, f"{figures.rate_hz:.1f} frames/s, fewer than min_rate {settings.min_rate:g}"
    return 0, "detects"


def _number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"

"""A node's health on /diagnostics, once a second (REP 107)."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from picam_webrtc.background import background
from picam_webrtc.camera.capture import CaptureStatus
from picam_webrtc.camera.figures import Figures, judge
from picam_webrtc.inference.figures import Snapshot
from picam_webrtc.models import AUTO
from picam_webrtc.ros.topics.qos import OVERRIDABLE
from picam_webrtc.ros.topics.unlocked import publish_unlocked
from picam_webrtc.settings import InferenceSettings
from picam_webrtc.silence import silence_level
from picam_webrtc.verdict import Level, Verdict

PERIOD_S = 1.0
DEPTH = 1
"""What is reported next says all that the report before it said."""
NOTHING_DROPPED: Mapping[str, int] = MappingProxyType({})
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
    """A verdict, and the figures that it rests on."""

    level: Level
    message: str
    values: Mapping[str, str]


@asynccontextmanager
async def diagnostics(node: Node, task: str, hardware_id: str, report: Callable[[], Report]) -> AsyncIterator[None]:
    """Publish what `report()` says, called on the loop, under "<node>: <task>"; `hardware_id` names the device.

    Not by a timer of the node: at rest the thread that spins sleeps, since each time that it wakes it goes through all
    that it waits for, which costs more than the report.
    """
    publisher = node.create_publisher(DiagnosticArray, "/diagnostics", DEPTH, qos_overriding_options=OVERRIDABLE)
    name = f"{node.get_fully_qualified_name().lstrip('/')}: {task}"

    async def keep_reporting() -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                message = DiagnosticArray(status=[_status(name, hardware_id, report())])
                message.header.stamp = node.get_clock().now().to_msg()
                await asyncio.to_thread(publish_unlocked, publisher, message)
            except Exception:  # noqa: BLE001 - the node's work goes on, and so do its later reports
                node.get_logger().error(traceback.format_exc())

    try:
        async with background(keep_reporting()):
            yield
    finally:
        node.destroy_publisher(publisher)


def _status(name: str, hardware_id: str, report: Report) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=bytes([report.level]),
        name=name,
        message=report.message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
    )


def camera_report(
    status: CaptureStatus, figures: Figures, notice: str = "", dropped: Mapping[str, int] = NOTHING_DROPPED
) -> Report:
    """`notice` is what the source itself warns of, whatever its frames do: an absent camera has none, or those of a
    test pattern. `dropped` is what each topic of the node has left out because it is slow."""
    level, message = (Level.WARN, notice) if notice else judge(status, figures)
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
    return Report(level, message, values | seen | dropped_figures(dropped))


@dataclass(frozen=True, slots=True)
class Input:
    """What inference_node takes its frames from: the full names of its topics, of those that nobody publishes, and
    how many frames had no twin of the same stamp where there are two topics.
    """

    topics: tuple[str, ...]
    unpublished: tuple[str, ...] = ()
    unpaired: int = 0


def inference_report(
    settings: InferenceSettings, figures: Snapshot, taken: Input, dropped: Mapping[str, int] = NOTHING_DROPPED
) -> Report:
    """`dropped` is what each topic of the node has left out because it is slow."""
    judged, silence = _judge_inference(settings, figures), _judge_input(settings, figures, taken)
    level, message = silence if silence[0] > Level.OK and silence[0] >= judged[0] else judged
    values = {
        "Model": _model(settings, figures),
        "Task": figures.task or "none",
        "Events in window": str(figures.window_frames),
        "Events since startup": str(figures.frames),
        "Duration of window (s)": f"{figures.window_s:.3f}",
        "Actual frequency (Hz)": _number(figures.rate_hz),
        "Inference, median (ms)": _number(figures.inference_ms_p50),
        "Inference, 95th percentile (ms)": _number(figures.inference_ms_p95),
        "Dropped frames": str(figures.dropped),
        "Failed frames": str(figures.failures),
        "No frames for (s)": f"{figures.silent_s:.1f}",
    }
    if len(taken.topics) > 1:
        values["Unpaired frames"] = str(taken.unpaired)
    return Report(level, message, values | dropped_figures(dropped))


def _judge_input(settings: InferenceSettings, figures: Snapshot, taken: Input) -> Verdict:
    """Nothing is said of frames that come."""
    level = silence_level(settings, figures.silent_s, figures.usual_gap_s)
    if level == Level.OK:
        return level, ""
    silent = f"no frames for {figures.silent_s:.0f} s"
    if taken.unpublished:
        return level, f"{silent}: nobody publishes {' and '.join(taken.unpublished)}"
    if taken.unpaired:
        return level, f"{silent}: no two frames of {' and '.join(taken.topics)} have the same stamp"
    return level, f"{silent} from {' and '.join(taken.topics)}"


def dropped_figures(dropped: Mapping[str, int]) -> dict[str, str]:
    """By topic, what was left out because it is slow."""
    return {f"{topic}: dropped messages": str(count) for topic, count in dropped.items()}


def _model(settings: InferenceSettings, figures: Snapshot) -> str:
    where = "sensor: " if settings.transform == "sensor" else ""
    return f"{where}{figures.model or 'none'}"


def _judge_inference(settings: InferenceSettings, figures: Snapshot) -> Verdict:
    if settings.transform == "none":
        return Level.OK, "frames pass through: transform is none"
    if settings.transform == "sensor":
        return _judge_running(settings, figures)
    if not figures.model:
        missing = "no model has" if settings.model == AUTO else f"the model {settings.model} has not"
        return Level.WARN, f"nothing is detected: {missing} been fetched"
    return _judge_running(settings, figures)


def _judge_running(settings: InferenceSettings, figures: Snapshot) -> Verdict:
    if not settings.enabled:
        return Level.OK, "frames pass through: not enabled"
    if not figures.running:
        return Level.OK, "idle: nobody subscribes"
    if not figures.model:  # a network on the sensor tells its name with its first outputs
        return Level.WARN, "nothing is detected: no sensor_outputs have come; set camera_node's parameter network"
    if figures.last_failure:
        return Level.ERROR, f"frames pass through: {figures.last_failure}"
    if figures.rate_hz is not None and figures.rate_hz < settings.min_rate:
        return Level.WARN, f"{figures.rate_hz:.1f} frames/s, fewer than min_rate {settings.min_rate:g}"
    return Level.OK, "detects"


def _number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"

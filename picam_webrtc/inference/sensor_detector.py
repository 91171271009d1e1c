"""Detections that a network on the image sensor made: its outputs read as those of a model that runs here."""

import logging
from dataclasses import dataclass, replace

from picam_webrtc.detection import Detections
from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.findings import Findings, findings
from picam_webrtc.inference.labels import Labels, read_labels
from picam_webrtc.inference.preprocess import Placement
from picam_webrtc.inference.sensor_networks import sensor_labels, sensor_task
from picam_webrtc.inference.sensor_placement import SensorPlacement
from picam_webrtc.inference.tasks import Task
from picam_webrtc.sensor_outputs import SensedFrame, SensorNetwork, SensorOutputs
from picam_webrtc.settings import InferenceSettings
from picam_webrtc.view import View

_logger = logging.getLogger(__name__)

SHOWN_NS = 500_000_000
"""How long what was found is shown in pictures of which the sensor tells nothing: without, boxes of a network that is
slower than the camera would flicker; for ever, those of one that has stopped would stay."""
WHOLE_PICTURE = Placement(0, 0, 1, 1)
"""Where a class lies that has no place, whatever part of the scene the picture shows."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How outputs of these shapes are read, of that network."""

    network: SensorNetwork
    shapes: tuple[tuple[int, ...], ...]
    task: Task

    def fits(self, outputs: SensorOutputs) -> bool:
        same = outputs.network is self.network or outputs.network == self.network
        return same and self.shapes == tuple(tensor.shape for tensor in outputs.tensors)


class SensorDetector:
    """Reads the outputs that come with a `SensedFrame`. For one thread at a time.

    `name`, `task_name` and `labels` are known once there were any.
    """

    def __init__(self, task: str, labels: Labels | None) -> None:
        """`task` and `labels` are given by the parameters of these names."""
        self.name = self.task_name = ""
        self.labels = labels or Labels()
        self._wanted = task
        self._given = labels
        self._reading: Reading | None = None
        self._last: Findings | None = None

    def detect(self, frame: Frame, settings: InferenceSettings, picture: Frame | None = None) -> Findings:
        """What the network found in `frame`, in pixels of `picture`, which is the same one; what it found last where it
        tells nothing.

        Raises ModelError for a network whose outputs are not read here.
        """
        shown = picture or frame
        outputs = frame.outputs if isinstance(frame, SensedFrame) else None
        if outputs is None or not outputs.tensors:
            return self._found_before(shown)
        reading = self._reading_of(outputs)
        tensors = [tensor.array[None] for tensor in outputs.tensors]
        candidates = reading.task.decoder.decode(tensors, settings.threshold)
        if reading.task.name == "classification":
            found = findings(candidates, reading.task, self.labels, WHOLE_PICTURE, shown, settings)
        else:
            placement = _placement(outputs, shown)
            found = findings(placement.visible(candidates), reading.task, self.labels, placement, shown, settings)
        self._last = replace(found, inference_ns=outputs.network_ns)
        return self._last

    def _reading_of(self, outputs: SensorOutputs) -> Reading:
        if self._reading is None or not self._reading.fits(outputs):
            self.name = outputs.network.name
            task = sensor_task(outputs, self._wanted)
            self.task_name = task.name
            self.labels = sensor_labels(outputs.network, task, self._given)
            shapes = tuple(tensor.shape for tensor in outputs.tensors)
            self._reading = Reading(outputs.network, shapes, task)
            _logger.info("Detects by the network %s on the image sensor (%s)", self.name, task.name)
        return self._reading

    def _found_before(self, picture: Frame) -> Findings:
        nothing = Detections(picture.stamp_ns, picture.frame_id, picture.width, picture.height)
        last = self._last
        if last is None or not _is_recent(last.detections, nothing):
            return Findings(nothing, inference_ns=0, measured=False)
        return Findings(replace(nothing, items=last.detections.items), last.class_map, inference_ns=0, measured=False)


def _is_recent(last: Detections, now: Detections) -> bool:
    same_size = (last.width, last.height) == (now.width, now.height)
    return same_size and 0 <= now.stamp_ns - last.stamp_ns <= SHOWN_NS


def _placement(outputs: SensorOutputs, picture: Frame) -> SensorPlacement:
    view: View | None = picture.view
    if view is None:
        raise ModelError(
            f"the network {outputs.network.name} cannot be placed: the camera tells nothing of its geometry"
        )
    return SensorPlacement.between(outputs.seen, view, (picture.width, picture.height))


def load_sensor_detector(settings: InferenceSettings) -> SensorDetector:
    """Ready for frames of a camera_node with a network. Raises SettingError naming the parameter that is to blame."""
    if settings.lores_topic:
        reason = "makes no sense with transform:=sensor, whose network sees what the sensor sees; leave it empty"
        raise SettingError("lores_topic", settings.lores_topic, reason)
    return SensorDetector(settings.task, read_labels(settings.labels) if settings.labels else None)

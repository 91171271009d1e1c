"""How the outputs of a network on the image sensor are read: which of our conventions they follow.

As Picamera2's examples (0.3.36, examples/imx500/) read the networks of the package imx500-models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from picam_webrtc.errors import ModelError
from picam_webrtc.inference.candidates import Candidates
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.tasks import SYMMETRIC, Task, recognise
from picam_webrtc.inference.tensors import Array, ImageInput, Signature, Tensor
from picam_webrtc.inference.whole_picture import Classification, softmax
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs

AUTO = "auto"
ON_SENSOR = "ssd"
"""What the convention of boxes, scores and classes is called among the tasks: models with it are read so elsewhere."""
FURTHEST_FRACTION = 2.0
"""Boxes beyond it are in pixels, whatever the network's file says or does not."""

FORCED: Mapping[str, str] = MappingProxyType({"classification": "classification", "segmentation": "segmentation"})
"""Tasks of networks of which the outputs' shapes need not say any more → convention."""
TOLD_BY_SHAPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "object detection": frozenset({"yolov5", "yolov8", "yolo_end_to_end", "ssd_raw", "blazeface"}),
        "pose estimation": frozenset({"pose"}),
        "": frozenset({"classification", "segmentation", "pose", "yolov5", "yolov8", "yolo_end_to_end", "ssd_raw"}),
    }
)
"""Task of a network, empty where its file does not tell → conventions that its outputs may follow."""


@dataclass(frozen=True, slots=True)
class SensorBoxes:
    """Boxes [n, 4], scores [n], classes [n]; suppressed on the sensor.

    A count that comes last is not looked at, by Picamera2's examples neither. `order` is that of a box's numbers, and
    `input_size` [px] what boxes in pixels are fractions of, both if `in_pixels` and if they cannot be fractions.
    """

    order: str
    input_size: tuple[int, int]
    in_pixels: bool

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        scores, classes = outputs[1].reshape(-1), outputs[2].reshape(-1)
        rows = np.flatnonzero(scores >= threshold)
        boxes = outputs[0].reshape(-1, 4)[rows]
        if self.order == "yx":
            boxes = boxes[:, [1, 0, 3, 2]]
        if self.in_pixels or boxes.max(initial=0.0) > FURTHEST_FRACTION:
            boxes = boxes / np.array(self.input_size * 2, np.float32)
        return Candidates(boxes, scores[rows], np.rint(classes[rows]).astype(np.intp))


@dataclass(frozen=True, slots=True)
class Logits:
    """[1, classes], which the network's file says to be logits."""

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        return Classification().decode([softmax(outputs[0].reshape(-1))], threshold)


def sensor_task(outputs: SensorOutputs, wanted: str) -> Task:
    """How these outputs are read; `wanted` is the parameter `task`. Raises ModelError, naming the network."""
    network, shapes = outputs.network, [tensor.shape for tensor in outputs.tensors]
    if wanted in (AUTO, ON_SENSOR) and network.task in ("object detection", "") and _are_boxes(shapes):
        return _boxes(network, "yx")
    if wanted.startswith("yolo") and _are_boxes(shapes):  # what those networks' boxes are, where their files are silent
        return _boxes(network, "xy")
    task = _by_convention(network, shapes, wanted)
    if task is not None and task.name == "classification" and network.softmax:
        return replace(task, decoder=Logits())
    if task is not None:
        return task
    raise ModelError(_not_read(network, shapes))


def _are_boxes(shapes: Sequence[tuple[int, ...]]) -> bool:
    if len(shapes) not in (3, 4) or len(shapes[0]) != 2 or shapes[0][1] != 4:
        return False
    return shapes[1] == shapes[2] == shapes[0][:1]


def _boxes(network: SensorNetwork, order: str) -> Task:
    width, height = network.input_size
    decoder = SensorBoxes(network.bbox_order or order, (width or 1, height or 1), network.bbox_normalization)
    return Task(decoder, SYMMETRIC, name=ON_SENSOR)


def _by_convention(network: SensorNetwork, shapes: Sequence[tuple[int, ...]], wanted: str) -> Task | None:
    """Ours are of batches."""
    width, height = (max(1, length) for length in network.input_size)
    picture = Tensor(0, "input", (1, height, width, 3), np.dtype(np.uint8))
    tensors = [Tensor(place, "", (1, *shape), np.dtype(np.float32)) for place, shape in enumerate(shapes)]
    signature = Signature((picture,), tuple(tensors))
    forced = FORCED.get(network.task, AUTO) if wanted == AUTO else wanted
    try:
        task = recognise(signature, ImageInput(picture, width, height, 3, planar=False), forced)
    except ModelError:
        return None
    return task if forced != AUTO or task.name in TOLD_BY_SHAPES.get(network.task, ()) else None


def _not_read(network: SensorNetwork, shapes: Sequence[tuple[int, ...]]) -> str:
    sizes = ", ".join("x".join(map(str, shape)) or "1" for shape in shapes)
    task = f", {network.task}" if network.task else ""
    rest = f", with post-processing {network.post_processing}" if network.post_processing else ""
    return (
        f"the network {network.name}{task}{rest}, has outputs {sizes}, which are not read here: take one that gives "
        "boxes, scores and classes (post-processed on the sensor, as *_pp.rpk), a classification or a segmentation"
    )


def sensor_labels(network: SensorNetwork, task: Task, given: Labels | None) -> Labels:
    """Names of its classes: `given` by the parameter `labels`, else the network's own."""
    if given is not None:
        return given if task.name == "segmentation" and not task.classes else given.fitted(task.classes)
    names = network.labels
    if task.classes and len(names) == task.classes + 1:  # ImageNet's 1001 of a network that leaves out the background
        names = names[1:]
    return Labels(dict(enumerate(names)))

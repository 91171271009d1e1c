"""From candidates in a model's input to detections in a picture: which ones are reported, and where they lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.frame import Frame
from picam_webrtc.inference.candidates import Candidates
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.tasks import Task
from picam_webrtc.inference.tensors import Array
from picam_webrtc.settings import InferenceSettings


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Detections in a picture, and for segmentation the class of every part of it, int [h, w], 0 for background.

    `inference_ns` is how long finding them took, None where that is the time until they were there. What was not found
    in this picture but in an earlier one, and is shown until there is something newer, is not `measured`.
    """

    detections: Detections
    class_map: Array | None = None
    inference_ns: int | None = None
    measured: bool = True


class Placing(Protocol):
    """Where a model's input lies in a picture, or the other way round."""

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """A point of the input as a point of the picture, in fractions of their sides."""

    def picture_part(self, class_map: Array) -> Array:
        """A map of the input, int [h, w], as one of the picture."""


def findings(
    candidates: Candidates, task: Task, labels: Labels, placement: Placing, picture: Frame, settings: InferenceSettings
) -> Findings:
    """What is reported of `candidates`, in pixels of `picture`."""
    chosen = _choose(candidates, task, labels, settings)
    items = _detections(chosen, task, labels, placement, (picture.width, picture.height))
    detections = Detections(picture.stamp_ns, picture.frame_id, picture.width, picture.height, tuple(items))
    class_map = candidates.class_map
    return Findings(detections, placement.picture_part(class_map) if class_map is not None else None)


def _choose(candidates: Candidates, task: Task, labels: Labels, settings: InferenceSettings) -> Candidates:
    chosen = candidates
    if settings.class_filter:
        wanted = {name.strip().lower() for name in settings.class_filter}
        numbers = candidates.class_ids.tolist()
        chosen = candidates.take([row for row, number in enumerate(numbers) if _is_wanted(number, labels, wanted)])
    if task.suppress is None:
        return chosen.best(settings.max_detections)
    return task.suppress(chosen, settings.nms_iou, settings.max_detections)


def _is_wanted(class_id: int, labels: Labels, wanted: set[str]) -> bool:
    return str(class_id) in wanted or labels.name(class_id).lower() in wanted


def _detections(
    found: Candidates, task: Task, labels: Labels, placement: Placing, size: tuple[int, int]
) -> list[Detection]:
    detections = []
    rows = zip(found.class_ids.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    points = [()] * len(found.scores) if found.keypoints is None else found.keypoints.tolist()
    for (class_id, score, corners), its_points in zip(rows, points, strict=True):
        box = box_in_picture(corners, placement, size)
        if box is not None:
            keypoints = tuple(_keypoints(its_points, score, task, placement, size))
            detections.append(Detection(class_id, labels.name(class_id), min(score, 1.0), box, keypoints))
    return detections


def box_in_picture(corners: Sequence[float], placement: Placing, size: tuple[int, int]) -> BoundingBox | None:
    """x0 y0 x1 y1 of the input in pixels of a picture of `size`; None for what is not in it, or no box at all."""
    x0, y0, x1, y1 = corners
    if not (x0 < x1 and y0 < y1):
        return None
    (across, down), (other_across, other_down) = placement.to_picture(x0, y0), placement.to_picture(x1, y1)
    if not isfinite(across + down + other_across + other_down):
        return None
    left, right = sorted((across, other_across))  # a sensor may see the scene mirrored, or turned
    top, bottom = sorted((down, other_down))
    width, height = size
    box = BoundingBox(left * width, top * height, right * width, bottom * height).clipped(width, height)
    return box if box.area > 0 else None


def _keypoints(
    points: Sequence[list[float]], score: float, task: Task, placement: Placing, size: tuple[int, int]
) -> Iterator[Keypoint]:
    """Points without a score of their own have that of the detection."""
    for name, (input_x, input_y, *own_score) in zip(task.keypoints, points, strict=False):
        x, y = placement.to_picture(input_x, input_y)
        yield Keypoint(name, x * size[0], y * size[1], own_score[0] if own_score else score)

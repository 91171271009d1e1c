"""What a decoder reads out of a model's outputs, before it becomes detections, and the choice among it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from picam_webrtc.inference.tensors import Array

MAX_CANDIDATES = 500
"""Candidates that enter non-maximum suppression, the best ones: it compares each with each."""

LOWEST_LOGIT = -80.0
"""Its exponential still fits a float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Findings in the model's input, whose width and height count as 1.

    `boxes` is float [n, 4], x0 y0 x1 y1; `scores` float [n]; `class_ids` int [n]. `keypoints` is float [n, k, 3],
    x y score, or [n, k, 2] where points have no score of their own. `class_map` is int [h, w], the class of every
    part of the input, 0 for background.
    """

    boxes: Array
    scores: Array
    class_ids: Array
    keypoints: Array | None = None
    class_map: Array | None = None

    def take(self, rows: Array | list[int]) -> "Candidates":
        keypoints = None if self.keypoints is None else self.keypoints[rows]
        return Candidates(self.boxes[rows], self.scores[rows], self.class_ids[rows], keypoints, self.class_map)

    def best(self, most: int) -> "Candidates":
        """The `most` of them with the highest scores, the best first."""
        return self.take((-self.scores).argsort(kind="stable")[:most])


class Decoder(Protocol):
    """Reads one family of output conventions."""

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        """Candidates with at least that score. `outputs` are real numbers, in the model's own order."""
        ...


def boxes_from_centers(centers: Array) -> Array:
    """Boxes x0 y0 x1 y1 of boxes given as center x, center y, width, height."""
    half = centers[:, 2:4] / 2
    return np.concatenate((centers[:, :2] - half, centers[:, :2] + half), axis=1)


def suppress(candidates: Candidates, iou: float, most: int) -> Candidates:
    """Greedy non-maximum suppression within each class: the `most` best that are left, best first."""
    ordered = candidates.best(MAX_CANDIDATES)
    return ordered.take([group[0] for group in _rivals(ordered, iou, most)])


def blend(candidates: Candidates, iou: float, most: int) -> Candidates:
    """Non-maximum suppression that averages rivals by score, as BlazeFace wants it against jitter.

    See "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", section 3.3.
    """
    ordered = candidates.best(MAX_CANDIDATES)
    groups = _rivals(ordered, iou, most)
    blended = ordered.take([group[0] for group in groups])
    for row, group in enumerate(groups):
        if len(group) == 1:
            continue
        weights = ordered.scores[group] / ordered.scores[group].sum()
        blended.boxes[row] = weights @ ordered.boxes[group]
        if blended.keypoints is not None and ordered.keypoints is not None:
            points = ordered.keypoints[group]
            blended.keypoints[row] = (weights @ points.reshape(len(group), -1)).reshape(points.shape[1:])
    return blended


def _rivals(ordered: Candidates, iou: float, most: int) -> list[list[int]]:
    """Rows in groups, the first `most`: each begins with a winner, and the rest are those it beats, best first."""
    # Plain lists: for the handful of candidates that there usually are, they beat a matrix of overlaps.
    boxes, classes = ordered.boxes.tolist(), ordered.class_ids.tolist()
    groups: list[list[int]] = []
    for row, (box, class_id) in enumerate(zip(boxes, classes, strict=True)):
        for group in groups:
            if classes[group[0]] == class_id and overlap(boxes[group[0]], box) > iou:
                group.append(row)
                break
        else:
            if len(groups) < most:
                groups.append([row])
    return groups


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes x0 y0 x1 y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return width * height / (areas - width * height)


def sigmoid(logits: Array) -> Array:
    scores: Array = 1 / (1 + np.exp(-np.maximum(logits, LOWEST_LOGIT)))
    return scores


def logit(score: float) -> float:
    """The inverse of `sigmoid`: lets a threshold be applied before, not after, the costly function."""
    if score <= 0:
        return -float("inf")
    return float("inf") if score >= 1 else float(np.log(score / (1 - score)))

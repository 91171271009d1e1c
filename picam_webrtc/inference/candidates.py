"""What a decoder reads out of a model's outputs, before it becomes detections, and the choice among it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from picam_webrtc.inference.tensors import Array

MAX_CANDIDATES = 500
"""Candidates that enter non-maximum suppression, the best ones: it compares each with each."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Findings in the model's input, whose width and height count as 1.

    `boxes` is float [n, 4], x0 y0 x1 y1; `scores` float [n]; `class_ids` int [n]; `keypoints` float [n, k, 3], x y
    score. `class_map` is int [h, w], the class of every part of the input, 0 for background.
    """

    boxes: Array
    scores: Array
    class_ids: Array
    keypoints: Array | None = None
    class_map: Array | None = None

    def take(self, rows: Array) -> "Candidates":
        keypoints = None if self.keypoints is None else self.keypoints[rows]
        return Candidates(self.boxes[rows], self.scores[rows], self.class_ids[rows], keypoints, self.class_map)

    def best(self, most: int) -> "Candidates":
        """The `most` of them with the highest scores, the best first."""
        return self.take(np.argsort(-self.scores, kind="stable")[:most])


class Decoder(Protocol):
    """Reads one family of output conventions."""

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        """Candidates with at least that score. `outputs` are real numbers, in the model's own order."""
        ...


def boxes_from_centers(centers: Array) -> Array:
    """Boxes x0 y0 x1 y1 of boxes given as center x, center y, width, height."""
    half = centers[:, 2:4] / 2
    return np.concatenate((centers[:, :2] - half, centers[:, :2] + half), axis=1)


def pairwise_iou(boxes: Array) -> Array:
    """Intersection over union of each box with each, [n, n]."""
    overlap = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    intersection = np.prod(np.maximum(overlap, 0), axis=2)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    union = areas[:, None] + areas[None, :] - intersection
    iou: Array = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return iou


def suppress(candidates: Candidates, iou: float) -> Candidates:
    """Greedy non-maximum suppression within each class, best first."""
    ordered = candidates.best(MAX_CANDIDATES)
    same_class = ordered.class_ids[:, None] == ordered.class_ids[None, :]
    rivals = (pairwise_iou(ordered.boxes) > iou) & same_class
    alive = np.ones(len(ordered.scores), bool)
    for row in range(len(alive)):
        if alive[row]:
            alive[row + 1 :] &= ~rivals[row, row + 1 :]
    return ordered.take(np.flatnonzero(alive))


def blend(candidates: Candidates, iou: float) -> Candidates:
    """Non-maximum suppression that averages rivals by score, as BlazeFace wants it against jitter.

    See "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", section 3.3.
    """
    ordered = candidates.best(MAX_CANDIDATES)
    rivals = pairwise_iou(ordered.boxes) > iou
    left = np.ones(len(ordered.scores), bool)
    boxes, keypoints, kept = ordered.boxes.copy(), _copy(ordered.keypoints), []
    for row in range(len(left)):
        if not left[row]:
            continue
        group = np.flatnonzero(left & (rivals[row] | (np.arange(len(left)) == row)))
        weights = ordered.scores[group] / ordered.scores[group].sum()
        boxes[row] = np.tensordot(weights, ordered.boxes[group], 1)
        if keypoints is not None and ordered.keypoints is not None:
            keypoints[row] = np.tensordot(weights, ordered.keypoints[group], 1)
        left[group] = False
        kept.append(row)
    blended = Candidates(boxes, ordered.scores, ordered.class_ids, keypoints)
    return blended.take(np.array(kept, np.intp))


def _copy(array: Array | None) -> Array | None:
    return None if array is None else array.copy()


def sigmoid(logits: Array) -> Array:
    scores: Array = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return scores


def logit(score: float) -> float:
    """The inverse of `sigmoid`: lets a threshold be applied before, not after, the costly function."""
    if score <= 0:
        return -float("inf")
    return float("inf") if score >= 1 else float(np.log(score / (1 - score)))

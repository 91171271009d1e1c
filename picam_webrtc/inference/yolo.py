"""The YOLO families: versions 5 (objectness), 8 and 11 (none), and exports with suppression in the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from picam_webrtc.inference.candidates import Candidates, boxes_from_centers
from picam_webrtc.inference.tensors import Array

NORMALIZED_LIMIT = 2.0
"""Exports disagree on the unit of coordinates. Fractions of the input end near 1; pixels do not."""


@dataclass(frozen=True, slots=True)
class YoloV5:
    """[1, n, 5 + classes]: x y w h, objectness, a score for each class."""

    width: int
    height: int

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        rows = outputs[0][0]
        rows = rows[rows[:, 4] >= threshold]
        scores = rows[:, 5:] * rows[:, 4:5]
        return _candidates(rows[:, :4], scores, threshold, self.width, self.height)


@dataclass(frozen=True, slots=True)
class YoloV8:
    """[1, 4 + classes, n], or [1, n, 4 + classes] where `transposed`: x y w h, a score for each class."""

    width: int
    height: int
    transposed: bool

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        rows = outputs[0][0] if self.transposed else outputs[0][0].T
        return _candidates(rows[:, :4], rows[:, 4:], threshold, self.width, self.height)


@dataclass(frozen=True, slots=True)
class YoloEndToEnd:
    """[1, n, 6]: x0 y0 x1 y1, score, class; suppression is done."""

    width: int
    height: int

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        rows = outputs[0][0]
        rows = rows[rows[:, 4] >= threshold]
        boxes = normalized(rows[:, :4], self.width, self.height)
        return Candidates(boxes, rows[:, 4], np.rint(rows[:, 5]).astype(np.intp))


def normalized(boxes: Array, width: int, height: int) -> Array:
    """Coordinates in fractions of the input, whichever unit they come in."""
    if boxes.size and np.abs(boxes).max() > NORMALIZED_LIMIT:
        return boxes / np.array((width, height, width, height), np.float32)
    return boxes


def _candidates(centers: Array, scores: Array, threshold: float, width: int, height: int) -> Candidates:
    # The maximum first: it is cheaper over all rows than the place of the maximum.
    rows = np.flatnonzero(scores.max(axis=1, initial=0) >= threshold)
    chosen = scores[rows]
    classes = chosen.argmax(axis=1) if chosen.size else np.zeros(len(rows), np.intp)
    boxes = boxes_from_centers(normalized(centers[rows], width, height))
    return Candidates(boxes, chosen.max(axis=1, initial=0), classes)

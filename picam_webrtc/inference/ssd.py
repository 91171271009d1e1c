"""Single-shot detectors: with their post-processing in the model, and without."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from picam_webrtc.inference.candidates import Candidates, boxes_from_centers, logit, sigmoid
from picam_webrtc.inference.tensors import Array

BOX_SCALES = (10.0, 10.0, 5.0, 5.0)
"""y, x, height, width: what the box coder of the TF Object Detection API multiplies its targets by."""

MIN_SCALE, MAX_SCALE = 0.2, 0.95
STRIDES = (16, 32, 64, 128, 256, 512)
ASPECT_RATIOS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)
REDUCED_LAYER = ((0.1, 1.0), (MIN_SCALE, 2.0), (MIN_SCALE, 1 / 2))
"""(scale, aspect ratio) of the lowest layer, which has three anchors a cell."""


@dataclass(frozen=True, slots=True)
class PostProcessed:
    """TFLite_Detection_PostProcess: boxes y0 x0 y1 x1, classes, scores, count, at these outputs."""

    boxes: int
    classes: int
    scores: int
    count: int

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        scores = outputs[self.scores].reshape(-1)
        count = int(np.clip(np.nan_to_num(outputs[self.count].reshape(-1)[0]), 0, len(scores)))
        rows = np.flatnonzero(scores[:count] >= threshold)
        boxes = outputs[self.boxes].reshape(-1, 4)[rows][:, [1, 0, 3, 2]]
        classes = np.rint(outputs[self.classes].reshape(-1)[rows]).astype(np.intp)
        return Candidates(boxes, scores[rows], classes)


@dataclass(frozen=True, slots=True)
class RawSsd:
    """Box deltas [1, n, 4] and class logits [1, n, 1 + classes], background first, for an input of that size."""

    deltas: int
    logits: int
    width: int
    height: int

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        logits = outputs[self.logits][0, :, 1:]
        classes = logits.argmax(axis=1)
        best = logits[np.arange(len(logits)), classes]
        rows = np.flatnonzero(best >= logit(threshold))
        anchors = ssd_anchors(self.width, self.height)[rows]
        boxes = decode_deltas(outputs[self.deltas][0, rows], anchors)
        return Candidates(boxes, sigmoid(best[rows]), classes[rows])


def decode_deltas(deltas: Array, anchors: Array) -> Array:
    """Boxes x0 y0 x1 y1 from deltas y x h w and anchors x y w h.

    Faster R-CNN's coding (https://arxiv.org/abs/1506.01497, section 3.1.2), scaled by `BOX_SCALES`.
    """
    y, x, height, width = (deltas[:, column] / scale for column, scale in enumerate(BOX_SCALES))
    centers = np.empty((len(deltas), 4), np.float32)
    centers[:, 0] = x * anchors[:, 2] + anchors[:, 0]
    centers[:, 1] = y * anchors[:, 3] + anchors[:, 1]
    centers[:, 2] = np.exp(np.minimum(width, 20)) * anchors[:, 2]
    centers[:, 3] = np.exp(np.minimum(height, 20)) * anchors[:, 3]
    return boxes_from_centers(centers)


@cache
def ssd_anchors(width: int, height: int) -> Array:
    """Anchors of SSD-MobileNet, center x, y, width, height in fractions of the input, [n, 4].

    The ssd_anchor_generator of the TF Object Detection API with its usual six layers (SSD,
    https://arxiv.org/abs/1512.02325, section 2.2): 1917 for 300x300, 2034 for 320x320.
    """
    steps = (MAX_SCALE - MIN_SCALE) / (len(STRIDES) - 1)
    scales = [MIN_SCALE + steps * layer for layer in range(len(STRIDES))] + [1.0]
    layers = []
    for layer, (stride, (scale, larger)) in enumerate(zip(STRIDES, pairwise(scales), strict=True)):
        shapes = [(scale, ratio) for ratio in ASPECT_RATIOS] + [((scale * larger) ** 0.5, 1.0)]
        columns, rows = -(-width // stride), -(-height // stride)
        layers.append(_grid(columns, rows, REDUCED_LAYER if layer == 0 else shapes))
    return np.concatenate(layers)


def _grid(columns: int, rows: int, shapes: Sequence[tuple[float, float]]) -> Array:
    sizes = np.array([(scale * ratio**0.5, scale / ratio**0.5) for scale, ratio in shapes], np.float32)
    grid = np.empty((rows, columns, len(shapes), 4), np.float32)
    grid[..., 0] = ((np.arange(columns) + 0.5) / columns)[None, :, None]
    grid[..., 1] = ((np.arange(rows) + 0.5) / rows)[:, None, None]
    grid[..., 2:] = sizes
    return grid.reshape(-1, 4)

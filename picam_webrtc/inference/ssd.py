"""Single-shot detectors: with their post-processing in the model, and without."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from picam_webrtc.inference.candidates import Candidates, logit, sigmoid
from picam_webrtc.inference.tensors import Array

BOX_SCALES = np.array((10.0, 10.0, 5.0, 5.0), np.float32)
"""y, x, height, width: what the box coder of the TF Object Detection API multiplies its targets by."""

LARGEST_LOG_SIZE = 20.0
"""A box e^20 times its anchor is no box; without a limit its size would overflow."""

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
        logits = outputs[self.logits][0]
        # Few anchors see anything: one comparison of everything is cheaper than the best class of every row.
        likely = logits >= logit(threshold)
        likely[:, 0] = False
        hits = likely.reshape(-1).nonzero()[0] // logits.shape[1]
        rows = np.array(sorted(set(hits.tolist())), np.intp)
        chosen = logits[rows, 1:]
        boxes = decode_deltas(outputs[self.deltas][0, rows], ssd_anchors(self.width, self.height)[rows])
        return Candidates(boxes, sigmoid(chosen.max(axis=1)), chosen.argmax(axis=1))


def decode_deltas(deltas: Array, anchors: Array) -> Array:
    """Boxes x0 y0 x1 y1 from deltas y x h w and anchors y x h w.

    Faster R-CNN's coding (https://arxiv.org/abs/1506.01497, section 3.1.2), scaled by `BOX_SCALES`.
    """
    coded = deltas / BOX_SCALES
    sizes = anchors[:, 2:]
    centers = coded[:, :2] * sizes + anchors[:, :2]
    half = np.exp(np.minimum(coded[:, 2:], LARGEST_LOG_SIZE)) * sizes / 2
    return np.concatenate((centers - half, centers + half), axis=1)[:, [1, 0, 3, 2]]


@cache
def ssd_anchors(width: int, height: int) -> Array:
    """Anchors of SSD-MobileNet, center y, x, height, width in fractions of the input, [n, 4].

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
    sizes = np.array([(scale / ratio**0.5, scale * ratio**0.5) for scale, ratio in shapes], np.float32)
    grid = np.empty((rows, columns, len(shapes), 4), np.float32)
    grid[..., 0] = ((np.arange(rows) + 0.5) / rows)[:, None, None]
    grid[..., 1] = ((np.arange(columns) + 0.5) / columns)[None, :, None]
    grid[..., 2:] = sizes
    return grid.reshape(-1, 4)

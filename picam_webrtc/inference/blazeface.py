"""BlazeFace, MediaPipe's face detector: boxes with six key points, short and full range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from picam_webrtc.inference.candidates import Candidates, logit, sigmoid
from picam_webrtc.inference.tensors import Array

KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear_tragion", "left_ear_tragion")

LAYERS: Mapping[int, tuple[tuple[int, int], ...]] = MappingProxyType(
    {896: ((8, 2), (16, 6)), 2304: ((4, 1),)},
)
"""By the number of anchors: (stride, anchors a cell) for the input sizes below. Every anchor has size 1."""

REFERENCE_SIZE: Mapping[int, int] = MappingProxyType({896: 128, 2304: 192})
"""Input size the strides are meant for; the larger back camera model has 896 anchors as well, at doubled strides."""


@dataclass(frozen=True, slots=True)
class BlazeFace:
    """Regressors [1, n, 16], center x y, width height and key points x y in pixels, and logits [1, n, 1]."""

    regressors: int
    logits: int
    anchors: int
    width: int
    height: int

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        logits = outputs[self.logits].reshape(-1)
        rows = (logits >= logit(threshold)).nonzero()[0]
        points = outputs[self.regressors][0, rows].reshape(len(rows), 2 + len(KEYPOINTS), 2)
        points /= np.array((self.width, self.height), np.float32)
        half = points[:, 1] / 2
        # The size at 1 is read by now; everything else is relative to the anchor.
        points += face_anchors(self.anchors)[rows, None]
        middles = points[:, 0]
        boxes = np.concatenate((middles - half, middles + half), axis=1)
        return Candidates(boxes, sigmoid(logits[rows]), np.zeros(len(rows), np.intp), points[:, 2:])


@cache
def face_anchors(count: int) -> Array:
    """Centers x y of the anchors, in fractions of the input, [count, 2]."""
    layers = []
    for stride, anchors_per_cell in LAYERS[count]:
        cells = REFERENCE_SIZE[count] // stride
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        layers.append(np.repeat(grid, anchors_per_cell, axis=0))
    return np.concatenate(layers)

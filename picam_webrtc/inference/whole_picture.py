"""Tasks that look at the picture as a whole: classification, segmentation, the pose of one person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from picam_webrtc.inference.candidates import Candidates
from picam_webrtc.inference.tensors import Array

MASK_THRESHOLD = 0.5
"""What a mask with one channel holds to be foreground."""

POSE_KEYPOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"),
    *("right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle"),
    "right_ankle",
)
"""COCO's order, which MoveNet follows."""

VISIBLE_KEYPOINT = 0.2
"""Score from which MoveNet's own examples count a key point as seen."""


@dataclass(frozen=True, slots=True)
class Classification:
    """[1, classes], scores or logits. Every class that is likely enough becomes a candidate as large as the picture."""

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        scores = probabilities(outputs[0].reshape(-1))
        rows = np.flatnonzero(scores >= threshold)
        return Candidates(np.tile((0.0, 0.0, 1.0, 1.0), (len(rows), 1)), scores[rows], rows)


def probabilities(scores: Array) -> Array:
    """Scores as they are where all lie in 0..1, else the softmax of logits."""
    if scores.size == 0 or (scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
        return scores
    return softmax(scores)


def softmax(logits: Array) -> Array:
    powers: Array = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers


@dataclass(frozen=True, slots=True)
class Segmentation:
    """[1, h, w, classes] scores, [1, h, w, 1] a mask of one class, or [1, h, w] class numbers; 0 is background.

    Each class that is seen becomes a candidate: the box around its region, and the region's mean score.
    """

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        class_map, scores = class_map_and_scores(outputs[0][0])
        found = [number for number in np.unique(class_map).tolist() if number > 0]
        regions = [(class_map == number) for number in found]
        means = np.array([scores[region].mean() for region in regions], np.float32)
        boxes = np.array([region_box(region) for region in regions], np.float32).reshape(-1, 4)
        everything = Candidates(boxes, means, np.array(found, np.intp), class_map=class_map)
        return everything.take(np.flatnonzero(means >= threshold))


def class_map_and_scores(output: Array) -> tuple[Array, Array]:
    """The class of each place, and how sure it is. `output` is [h, w] or [h, w, classes]."""
    if output.ndim == 2:
        return np.rint(output).astype(np.int32), np.ones(output.shape, np.float32)
    if output.shape[2] == 1:
        mask = output[:, :, 0]
        return (mask >= MASK_THRESHOLD).astype(np.int32), mask
    class_map = output.argmax(axis=2).astype(np.int32)
    best = output.max(axis=2)
    if output.min() >= -1e-3 and output.max() <= 1 + 1e-3:
        return class_map, best
    return class_map, 1 / np.exp(output - best[:, :, None]).sum(axis=2)


def region_box(region: Array) -> tuple[float, float, float, float]:
    """The box x0 y0 x1 y1 around what is true in [h, w], in fractions of it."""
    height, width = region.shape
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


@dataclass(frozen=True, slots=True)
class Pose:
    """MoveNet single pose, [1, 1, 17, 3]: y x score of each key point."""

    def decode(self, outputs: Sequence[Array], threshold: float) -> Candidates:
        keypoints = outputs[0].reshape(1, -1, 3)[:, :, [1, 0, 2]]
        seen = keypoints[0, keypoints[0, :, 2] >= VISIBLE_KEYPOINT]
        score = float(keypoints[0, :, 2].mean())
        if len(seen) < 2 or score < threshold:
            return Candidates(np.empty((0, 4)), np.empty(0), np.empty(0, np.intp), keypoints[:0])
        box = np.concatenate((seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)))
        return Candidates(box[None], np.array([score]), np.zeros(1, np.intp), keypoints)

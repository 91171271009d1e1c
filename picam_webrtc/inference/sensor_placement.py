"""Where what a network on the sensor sees lies in a picture of the same exposure."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from picam_webrtc.inference.candidates import Candidates
from picam_webrtc.inference.tensors import Array
from picam_webrtc.view import Matrix, Size, View

DECIMALS = 9
"""Of fractions: what is as large as the picture is to be so exactly, and not but for the rounding of a product."""


@dataclass(frozen=True, slots=True, eq=False)
class SensorPlacement:
    """`matrix` is 3 x 3: points of the network's input to points of the picture, both in fractions of their sides."""

    matrix: Matrix

    @classmethod
    def between(cls, seen: View, shown: View, size: Size) -> Self:
        """`seen` is what the input shows of the sensor, `shown` what the picture of `size` [px] does."""
        pixels = seen.crop[2:]  # as if the input had the sensor's resolution; any other gives the same
        to_sensor = np.linalg.inv(_fractions(pixels) @ seen.pixels(pixels))
        return cls(_fractions(size) @ shown.pixels(size) @ to_sensor)

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """A point of the input as a point of the picture."""
        across, down, _ = (self.matrix @ (x, y, 1.0)).round(DECIMALS).tolist()
        return across, down

    def visible(self, candidates: Candidates) -> Candidates:
        """Those that the picture shows a part of: the network may see more of the scene."""
        boxes = np.asarray(candidates.boxes, np.float64).reshape(-1, 2, 2)
        corners = boxes @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        inside = (corners.max(axis=1) > 0).all(axis=1) & (corners.min(axis=1) < 1).all(axis=1)
        return candidates.take(np.flatnonzero(inside))

    def picture_part(self, class_map: Array) -> Array:
        """A map of the input as one of the picture, 0 where the network does not see."""
        turned = abs(self.matrix[0, 0]) < abs(self.matrix[0, 1])  # by a quarter
        height, width = class_map.shape[::-1] if turned else class_map.shape
        across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        back = np.linalg.inv(self.matrix)
        places = [back[row, 0] * across + back[row, 1] * down[:, None] + back[row, 2] for row in (0, 1)]
        columns, rows = (
            np.floor(place * length).astype(np.intp)
            for place, length in zip(places, class_map.shape[::-1], strict=True)
        )
        seen = (columns >= 0) & (columns < class_map.shape[1]) & (rows >= 0) & (rows < class_map.shape[0])
        return np.where(seen, class_map[rows * seen, columns * seen], 0)


def _fractions(size: Size) -> Matrix:
    """3 x 3: from a picture's pixels, the first centre of which is 0, to fractions of its sides from their edges."""
    width, height = size
    return np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])

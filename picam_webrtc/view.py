"""Which part of a camera's pixel array a picture shows, and how it is turned: where each of its pixels lies.

A pixel's centre has whole coordinates, as in OpenCV and in camera calibrations: a picture of width w covers -0.5 to
w - 0.5.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Rectangle = tuple[int, int, int, int]
"""x, y, width, height [sensor px]."""
Size = tuple[int, int]
"""Width, height [px]."""

QUARTER_TURNS = (0, 90, 180, 270)


@dataclass(frozen=True, slots=True)
class View:
    """A crop of the pixel array, mirrored, then turned clockwise by `orientation` degrees, then scaled to a picture.

    `crop` is where the scene is seen by the sensor itself, whatever is mirrored afterwards. `whole` is the crop that
    the sensor mode and the picture's shape make, before any digital zoom.
    """

    pixel_array: Size
    crop: Rectangle
    whole: Rectangle
    hflip: bool = False
    vflip: bool = False
    orientation: int = 0

    @property
    def turn(self) -> int:
        """How far the picture is turned clockwise against the sensor [degree]: two mirrors are half a turn."""
        return (self.orientation + 180 * (self.hflip and self.vflip)) % 360

    @property
    def mirrored(self) -> bool:
        return self.hflip != self.vflip

    def unzoomed(self) -> "View":
        return replace(self, crop=self.whole)

    def turned(self, degrees: int) -> "View":
        return replace(self, orientation=(self.orientation + degrees) % 360)

    def pixels(self, size: Size) -> Matrix:
        """3 x 3: from a pixel of the sensor's array to one of a picture of `size` [px] that shows this view."""
        width, height = size if self.orientation % 180 == 0 else size[::-1]
        x, y, crop_width, crop_height = self.crop
        scale_x, scale_y = width / crop_width, height / crop_height
        scaled = np.array(
            [
                [scale_x, 0, (0.5 - x) * scale_x - 0.5],
                [0, scale_y, (0.5 - y) * scale_y - 0.5],
                [0, 0, 1],
            ]
        )
        flips = mirror(width, height, self.hflip, self.vflip)
        return np.asarray(quarter_turns(width, height, self.orientation) @ flips @ scaled)


def mirror(width: int, height: int, hflip: bool, vflip: bool) -> Matrix:
    """3 x 3: pixels of a picture of that size to those of the mirrored one."""
    return np.array(
        [
            [-1.0 if hflip else 1.0, 0, width - 1 if hflip else 0],
            [0, -1.0 if vflip else 1.0, height - 1 if vflip else 0],
            [0, 0, 1],
        ]
    )


def quarter_turns(width: int, height: int, degrees: int) -> Matrix:
    """3 x 3: pixels of a picture of that size to those of the one turned clockwise by 0, 90, 180 or 270 degrees."""
    right, down = width - 1, height - 1
    rows: dict[int, list[list[int]]] = {
        0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        90: [[0, -1, down], [1, 0, 0], [0, 0, 1]],
        180: [[-1, 0, right], [0, -1, down], [0, 0, 1]],
        270: [[0, 1, 0], [-1, 0, right], [0, 0, 1]],
    }
    return np.array(rows[degrees], np.float64)


def mirrored_within(crop: Rectangle, frame: Rectangle, hflip: bool, vflip: bool) -> Rectangle:
    """`crop` as it lies in the mirrored `frame`.

    libcamera's ScalerCrop counts in the picture that the mirrored sensor gives: `CameraData::applyScalerCrop` only
    takes the sensor mode's corner off it (src/libcamera/pipeline/rpi/common/pipeline_base.cpp, v0.7.1).
    """
    left, top, width, height = frame
    x, y, crop_width, crop_height = crop
    return (
        2 * left + width - x - crop_width if hflip else x,
        2 * top + height - y - crop_height if vflip else y,
        crop_width,
        crop_height,
    )

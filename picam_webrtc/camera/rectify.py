"""Pictures without the lens's distortion, as a calibration describes it: what image_proc's rectify node makes."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.calibration import Calibration, CalibrationError
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import SEMI_PLANAR, Frame, Pixels

EQUIDISTANT = "equidistant"
PINHOLE = ("plumb_bob", "rational_polynomial")
BLACK_LUMA, NEUTRAL_CHROMA = 16, 128
UNRECTIFIABLE = frozenset({"yuv422", "yuv422_yuy2"})

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Where each pixel of the rectified picture is taken from, as `cv2.convertMaps` stores it."""

    whole: Pixels
    fraction: Pixels

    @classmethod
    def of(cls, x: Map, y: Map) -> "_Table":
        return cls(*cv2.convertMaps(x, y, cv2.CV_16SC2))

    def apply(self, pixels: Pixels, target: Pixels, outside: int) -> None:
        border = (outside, outside, outside, 0)
        cv2.remap(pixels, self.whole, self.fraction, cv2.INTER_LINEAR, dst=target, borderValue=border)


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Of one calibration: for planes of the picture's size, and for chroma planes of half of it."""

    calibration: Calibration
    full: _Table
    half: _Table

    @classmethod
    def of(cls, calibration: Calibration) -> "_Tables":
        x, y = _maps(calibration)
        return cls(calibration, _Table.of(x, y), _Table.of(_halved(x), _halved(y)))


class Rectifier:
    """Rectifies frames of one stream; its tables are made anew when the calibration changes. For one thread."""

    def __init__(self) -> None:
        self._tables: _Tables | None = None
        self._pools: dict[tuple[int, ...], BufferPool] = {}

    def __call__(self, frame: Frame, calibration: Calibration) -> Frame:
        """The rectified frame, in the same encoding, black where the lens saw nothing.

        `calibration` must be for frames of that size. Raises CalibrationError for one that cannot be used and
        ImageError for an encoding that cannot be rectified.
        """
        if frame.encoding in UNRECTIFIABLE:
            raise ImageError(f"{frame.encoding} pictures cannot be rectified: choose another format")
        if self._tables is None or self._tables.calibration is not calibration:
            self._tables = _Tables.of(calibration)
        pixels = self._take(frame.pixels.shape)
        if frame.encoding in SEMI_PLANAR:
            height, width = frame.height, frame.width
            self._tables.full.apply(frame.pixels[:height], pixels[:height], BLACK_LUMA)
            chroma = np.ascontiguousarray(frame.pixels[height:]).reshape(height // 2, width // 2, 2)
            self._tables.half.apply(chroma, pixels[height:].reshape(height // 2, width // 2, 2), NEUTRAL_CHROMA)
        else:
            self._tables.full.apply(frame.pixels, pixels, 0)
        pixels.flags.writeable = False
        return replace(frame, pixels=pixels, view=None)

    def _take(self, shape: tuple[int, ...]) -> Pixels:
        if shape not in self._pools:
            self._pools = {shape: BufferPool(shape)}
        return self._pools[shape].take()


def _maps(calibration: Calibration) -> tuple[Map, Map]:
    """Pixel coordinates in the distorted picture, x and y, each (height, width)."""
    k, r = (np.reshape(numbers, (3, 3)) for numbers in (calibration.k, calibration.r))
    p, d = np.reshape(calibration.p, (3, 4))[:, :3], np.array(calibration.d)
    size = calibration.width, calibration.height
    if not all((k[0, 0], k[1, 1], p[0, 0], p[1, 1])):
        raise CalibrationError("the calibration has no focal length in its camera_matrix or projection_matrix")
    if calibration.distortion_model == EQUIDISTANT:
        return cv2.fisheye.initUndistortRectifyMap(k, d[:4], r, p, size, cv2.CV_32FC1)
    if calibration.distortion_model in PINHOLE:
        return cv2.initUndistortRectifyMap(k, d, r, p, size, cv2.CV_32FC1)
    known = ", ".join((*PINHOLE, EQUIDISTANT))
    raise CalibrationError(f"distortion_model {calibration.distortion_model!r} is not known here; these are: {known}")


def _halved(coordinates: Map) -> Map:
    """For a plane of half the size: its pixels' centres lie between four of the whole one."""
    height, width = (length & ~1 for length in coordinates.shape)
    blocks = coordinates[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray((blocks.mean(axis=(1, 3)) + 0.5) / 2 - 0.5, np.float32)

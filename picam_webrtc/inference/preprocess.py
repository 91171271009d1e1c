"""From a frame to a model's input: fit, colour order, normalisation and number type."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np

from picam_webrtc.color import as_smpte170m
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame
from picam_webrtc.inference.tensors import Array, ImageInput, Tensor

DRAWABLE = frozenset({"bgr8", "rgb8", "bgra8", "rgba8"})
"""Encodings that boxes can be drawn into, in colour."""

TO_BGR: Mapping[str, int] = MappingProxyType(
    {
        "mono8": cv2.COLOR_GRAY2BGR,
        "yuv422": cv2.COLOR_YUV2BGR_UYVY,
        "yuv422_yuy2": cv2.COLOR_YUV2BGR_YUY2,
        "nv12": cv2.COLOR_YUV2BGR_NV12,
        "nv21": cv2.COLOR_YUV2BGR_NV21,
    }
)

TO_RGB: Mapping[str, int | None] = MappingProxyType(
    {"bgr8": cv2.COLOR_BGR2RGB, "rgb8": None, "bgra8": cv2.COLOR_BGRA2RGB, "rgba8": cv2.COLOR_RGBA2RGB}
)

CHANNELS: Mapping[str, int] = MappingProxyType({**PACKED_CHANNELS, **dict.fromkeys(SEMI_PLANAR, 1)})
"""Of the pixel arrays of known encodings; with one channel they have two dimensions."""

PADDING = 114
"""Grey of the bars of a letterbox, as YOLO is trained with."""

LARGEST_SIDE = 32767
"""OpenCV's resize does not go further (SHRT_MAX)."""


def drawable(frame: Frame) -> Frame:
    """The frame itself where boxes can be drawn into its encoding, else the same picture as bgr8.

    Raises ImageError for an encoding that is not known, or pixels that do not fit it.
    """
    check_pixels(frame)
    if frame.encoding in DRAWABLE:
        return frame
    frame = as_smpte170m(frame)
    try:
        pixels = cv2.cvtColor(np.ascontiguousarray(frame.pixels), TO_BGR[frame.encoding])
    except cv2.error as error:
        raise ImageError(f"{frame.encoding} image of shape {frame.shape} cannot be converted: {error.err}") from error
    return replace(frame, pixels=pixels, encoding="bgr8")


def check_pixels(frame: Frame) -> None:
    """Raise ImageError unless the pixels are what the encoding says."""
    pixels, channels = frame.pixels, CHANNELS.get(frame.encoding)
    if channels is None:
        raise ImageError(f"encoding {frame.encoding!r} is not known here; these are: {', '.join(sorted(CHANNELS))}")
    if pixels.dtype != np.uint8:
        raise ImageError(f"{frame.encoding} image of {pixels.dtype} numbers: must be uint8")
    if (pixels.shape[2:] or (1,)) != (channels,) or pixels.ndim != (2 if channels == 1 else 3):
        raise ImageError(f"{frame.encoding} image of shape {frame.shape}: must have {channels} channel(s)")
    if pixels.size == 0:
        raise ImageError(f"{frame.encoding} image of {frame.width}x{frame.height} pixels is empty")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in the model's input, in fractions of the input; stretch is 0, 0, 1, 1."""

    left: float
    top: float
    width: float
    height: float

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """A point of the input as a point of the picture, in fractions of its sides."""
        return (x - self.left) / self.width, (y - self.top) / self.height

    def picture_part(self, class_map: Array) -> Array:
        """A map of the input without the bars of a letterbox."""
        height, width = class_map.shape
        top, left = round(self.top * height), round(self.left * width)
        bottom, right = round((self.top + self.height) * height), round((self.left + self.width) * width)
        return class_map[top : max(bottom, top + 1), left : max(right, left + 1)]


@dataclass(frozen=True, slots=True)
class Fit:
    """The same in whole pixels of the input."""

    left: int
    top: int
    width: int
    height: int

    def placement(self, width: int, height: int) -> Placement:
        return Placement(self.left / width, self.top / height, self.width / width, self.height / height)


def fit(picture: tuple[int, int], target: tuple[int, int], letterbox: bool) -> Fit:
    """How a picture of that (width, height) goes into the target: stretched, or in full with bars around it."""
    if not letterbox:
        return Fit(0, 0, *target)
    scale = min(target[0] / picture[0], target[1] / picture[1])
    width = min(target[0], max(1, round(picture[0] * scale)))
    height = min(target[1], max(1, round(picture[1] * scale)))
    return Fit((target[0] - width) // 2, (target[1] - height) // 2, width, height)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What is the same for all frames of a `shape`: which rows are read, and where the picture goes."""

    shape: tuple[int, ...]
    rows: slice
    small: Array
    picture: Array
    placement: Placement


class Preprocessor:
    """Writes pictures into one model's input. Keeps small buffers: for one thread only."""

    def __init__(self, source: ImageInput, table: Array, letterbox: bool) -> None:
        """`table` holds the number that the model wants for each value of a pixel: see `pixel_table`."""
        self._source = source
        self._table = table
        self._letterbox = letterbox
        self._canvas = np.full((source.height, source.width, 3), PADDING, np.uint8)
        self._layout: Layout | None = None

    def write(self, frame: Frame, target: Array) -> Placement:
        """Fill `target`, the input tensor, with a frame that is `drawable`. Raises ImageError."""
        layout = self._layout
        if layout is None or layout.shape != frame.pixels.shape:
            layout = self._layout = self._lay_out(frame)
        # Colours are swapped after resizing, where it costs least.
        cv2.resize(frame.pixels[layout.rows], layout.small.shape[1::-1], dst=layout.small)
        swap = TO_RGB[frame.encoding]
        if swap is None:
            layout.picture[:] = layout.small
        else:
            cv2.cvtColor(layout.small, swap, dst=layout.picture)
        self._write_numbers(target[0])
        return layout.placement

    def _lay_out(self, frame: Frame) -> Layout:
        if max(frame.width, frame.height) > LARGEST_SIDE:
            raise ImageError(f"image of {frame.width}x{frame.height} pixels: a side may have {LARGEST_SIDE} at most")
        width, height = self._source.width, self._source.height
        place = fit((frame.width, frame.height), (width, height), self._letterbox)
        self._canvas[:] = PADDING
        # Of a much taller picture every second row, or third, is enough, and halves what is read from memory.
        step = max(1, frame.height // place.height)
        return Layout(
            shape=frame.pixels.shape,
            rows=slice((step - 1) // 2, None, step),
            small=np.empty((place.height, place.width, frame.pixels.shape[2]), np.uint8),
            picture=self._canvas[place.top : place.top + place.height, place.left : place.left + place.width],
            placement=place.placement(width, height),
        )

    def _write_numbers(self, target: Array) -> None:
        pixels = self._canvas
        if self._source.channels == 1:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None]
        if self._source.planar:
            target[:] = cv2.LUT(pixels, self._table).reshape(pixels.shape).transpose(2, 0, 1)
        elif target.dtype == self._table.dtype and self._source.channels == 3:
            cv2.LUT(pixels, self._table, dst=target)
        else:
            target[:] = cv2.LUT(pixels, self._table).reshape(target.shape)


def pixel_table(tensor: Tensor, mean: float, std: float, given: bool) -> Array:
    """What the input wants for pixel values 0 to 255, as a table for cv2.LUT.

    Floats are normalised: (pixel - mean) / std. Whole numbers take the pixel itself, shifted to the range of
    signed bytes, unless mean and std are `given`: then the normalised value is quantised.
    """
    pixels = np.arange(256, dtype=np.float64)
    if tensor.dtype.kind == "f":
        values = (pixels - mean) / std
    elif given and tensor.scale:
        values = np.rint((pixels - mean) / std / tensor.scale + tensor.zero_point)
    else:
        values = pixels - 128 if tensor.dtype == np.int8 else pixels
    if tensor.dtype.kind in "iu":
        limits = np.iinfo(tensor.dtype)
        values = np.clip(values, limits.min, limits.max)
    # OpenCV looks up these types; for the others numpy converts what it looked up.
    looked_up = tensor.dtype if tensor.dtype in (np.uint8, np.int8, np.int32, np.float32) else np.dtype(np.float32)
    return values.astype(looked_up).reshape(1, 256)

"""One picture and the moment it was taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picam_webrtc.errors import ImageError
from picam_webrtc.view import View

Pixels = NDArray[Any]

PACKED_CHANNELS: Mapping[str, int] = MappingProxyType(
    {
        "bgr8": 3,
        "rgb8": 3,
        "bgra8": 4,
        "rgba8": 4,
        "mono8": 1,
        "yuv422": 2,
        "yuv422_yuy2": 2,
    }
)
"""Bytes a pixel of the packed 8-bit encodings, named as in sensor_msgs/image_encodings."""

SEMI_PLANAR = frozenset({"nv12", "nv21"})
"""Encodings with a full-size luma plane above a half-height interleaved chroma plane."""

TEST_PATTERN_FRAME_ID = "test_pattern"
"""frame_id of the test pattern where it stands in for a camera: no transform leads from there to the world."""

SUPPORTED_ENCODINGS = frozenset(PACKED_CHANNELS) | SEMI_PLANAR


class ColorSpace(Enum):
    """How luma and chroma were made of red, green and blue; libcamera's names. RGB and mono pictures have none.

    Pictures of other processes are taken for SMPTE170M, as OpenCV and cv_bridge take them: no ROS message tells.
    """

    SMPTE170M = "smpte170m"
    """ITU-R BT.601, limited range: what everything here is made for, and what the camera is asked for."""
    REC709 = "rec709"
    """ITU-R BT.709, limited range."""
    SYCC = "sycc"
    """ITU-R BT.601, full range: JPEG's."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture on its way from the camera to the viewers.

    `pixels` is uint8: (height, width, channels) for packed encodings, (height, width) for mono8,
    (height * 3 / 2, width) for nv12 and nv21. It may be a view with padded rows: never assume that
    it is contiguous, and never write to it, because others hold the same array.
    `stamp_ns` is the time of capture, CLOCK_REALTIME nanoseconds. `color_space` is that of a YUV picture, and `view`
    what the picture shows of a sensor whose geometry is known.
    """

    pixels: Pixels
    encoding: str
    stamp_ns: int
    frame_id: str
    color_space: ColorSpace = ColorSpace.SMPTE170M
    view: View | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        rows = int(self.pixels.shape[0])
        return rows * 2 // 3 if self.encoding in SEMI_PLANAR else rows

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pixels.shape


def view_rows(data: Pixels, width: int, height: int, step: int, encoding: str) -> Pixels:
    """View `data`, `step` bytes a row, as the pixel array that `Frame` describes, copying nothing.

    Raises ImageError when the encoding is unknown or the data is smaller than it must be.
    """
    channels = PACKED_CHANNELS.get(encoding)
    if channels is None and encoding not in SEMI_PLANAR:
        supported = ", ".join(sorted(SUPPORTED_ENCODINGS))
        raise ImageError(f"encoding {encoding!r} has no direct view; these have: {supported}")
    if width < 1 or height < 1:
        raise ImageError(f"image of {width}x{height} pixels: both must be at least 1")
    if channels is None and (width % 2 or height % 2):
        raise ImageError(f"{encoding} image of {width}x{height} pixels: both must be even")
    rows, row_bytes = (height, width * channels) if channels else (height * 3 // 2, width)
    if step < row_bytes:
        raise ImageError(f"step {step} is less than the {row_bytes} bytes of a {width} px {encoding} row")
    if data.size < step * (rows - 1) + row_bytes:
        raise ImageError(f"{data.size} bytes of data for {rows} rows of {step}: the image is cut short")
    flat = data.reshape(-1).view(np.uint8)
    shape, strides = (rows, row_bytes), (step, 1)
    packed = np.lib.stride_tricks.as_strided(flat, shape, strides, writeable=False)
    return packed.reshape(rows, width, channels) if channels and channels > 1 else packed

"""Colour spaces of YUV pictures: the standards' own numbers, and the way to the one that everything here is made for.

Luma is Kr R + (1 - Kr - Kb) G + Kb B, chroma (B - luma) / (2 - 2 Kb) and (R - luma) / (2 - 2 Kr): ITU-R BT.601-7,
2.5.1 and BT.709-6, 3.2 and 3.3. In limited range luma is 16 to 235 and chroma 16 to 240 (BT.601-7, 2.5.3); in full
range both are 0 to 255 (ITU-T T.871, 7, which is JPEG's).
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from picam_webrtc.frame import SEMI_PLANAR, ColorSpace, Frame, Pixels

Matrix = NDArray[np.float64]

NEUTRAL = 128


@dataclass(frozen=True, slots=True)
class Coding:
    """`kr` and `kb` of the matrix; luma is `black` + `luma_span` times its value, chroma NEUTRAL + `chroma_span`."""

    kr: float
    kb: float
    black: int
    luma_span: int
    chroma_span: int

    def matrix(self) -> Matrix:
        """3 x 3: from red, green, blue, 0 to 1, to luma, 0 to 1, and chroma, -0.5 to 0.5."""
        luma = np.array([self.kr, 1 - self.kr - self.kb, self.kb])
        blue = (np.array([0, 0, 1]) - luma) / (2 - 2 * self.kb)
        red = (np.array([1, 0, 0]) - luma) / (2 - 2 * self.kr)
        return np.stack([luma, blue, red])


CODINGS = {
    ColorSpace.SMPTE170M: Coding(0.299, 0.114, 16, 219, 224),
    ColorSpace.REC709: Coding(0.2126, 0.0722, 16, 219, 224),
    ColorSpace.SYCC: Coding(0.299, 0.114, 0, 255, 255),
}

YUV_ENCODINGS = SEMI_PLANAR | {"yuv422", "yuv422_yuy2"}


def _table(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


LIMITED_TO_FULL_LUMA = _table((np.arange(256) - 16) * 255 / 219)
LIMITED_TO_FULL_CHROMA = _table((np.arange(256) - 128) * 255 / 224 + 128)
FULL_TO_LIMITED_LUMA = _table(np.arange(256) * 219 / 255 + 16)
"""What each value becomes; for cv2.LUT."""


def as_smpte170m(frame: Frame) -> Frame:
    """The frame in the colour space SMPTE170M: itself where it is, or where its encoding has no colour space."""
    if frame.color_space is ColorSpace.SMPTE170M:
        return frame
    if frame.encoding not in YUV_ENCODINGS:
        return replace(frame, color_space=ColorSpace.SMPTE170M)
    pixels = np.array(frame.pixels)
    convert = _convert_semi_planar if frame.encoding in SEMI_PLANAR else _convert_packed
    convert(pixels, frame)
    pixels.flags.writeable = False
    return replace(frame, pixels=pixels, color_space=ColorSpace.SMPTE170M)


def _convert_semi_planar(pixels: Pixels, frame: Frame) -> None:
    height = frame.height
    first = int(frame.encoding == "nv21")
    luma, chroma = pixels[:height], pixels[height:]
    blue, red = chroma[:, first::2], chroma[:, 1 - first :: 2]
    _recode(luma, blue, red, frame.color_space, rows=2)


def _convert_packed(pixels: Pixels, frame: Frame) -> None:
    """UYVY or YUY2, (height, width, 2)."""
    at = 1 if frame.encoding == "yuv422" else 0
    luma, chroma = pixels[:, :, at], pixels[:, :, 1 - at]
    blue, red = chroma[:, 0::2], chroma[:, 1::2]
    _recode(luma, blue, red, frame.color_space, rows=1)


@dataclass(frozen=True, slots=True)
class _Tables:
    """By a pair of chroma values, blue * 256 + red: what it adds to luma, and what the new pair is.

    `luma` is what luma becomes by itself; None where it stays.
    """

    luma: Pixels | None
    shift: NDArray[np.int16]
    blue: Pixels
    red: Pixels


@cache
def _tables(source: ColorSpace) -> _Tables:
    given, target = CODINGS[source], CODINGS[ColorSpace.SMPTE170M]
    matrix = target.matrix() @ np.linalg.inv(given.matrix())
    values = np.arange(256)
    chroma = (values - NEUTRAL) / given.chroma_span
    shift, blue, red = (np.add.outer(row[1] * chroma, row[2] * chroma).reshape(-1) for row in matrix)
    luma = target.black + target.luma_span * (values - given.black) / given.luma_span
    return _Tables(
        luma=None if given.luma_span == target.luma_span else _table(luma),
        shift=np.rint(target.luma_span * shift).astype(np.int16),
        blue=_table(NEUTRAL + target.chroma_span * blue),
        red=_table(NEUTRAL + target.chroma_span * red),
    )


def _recode(luma: Pixels, blue: Pixels, red: Pixels, source: ColorSpace, rows: int) -> None:
    """Planes to SMPTE170M, in place; a chroma sample is shared by two columns of luma and by `rows` of its rows."""
    tables = _tables(source)
    pairs = blue.astype(np.intp)
    pairs <<= 8
    pairs |= red
    blue[:], red[:] = tables.blue.take(pairs), tables.red.take(pairs)
    if tables.luma is not None:
        luma[:] = tables.luma.take(luma)
    shift = tables.shift.take(pairs)
    if not shift.any():
        return
    shift = np.repeat(shift, 2, axis=1)
    for row in range(rows):
        shifted = luma[row::rows] + shift
        luma[row::rows] = np.clip(shifted, 0, 255, out=shifted)

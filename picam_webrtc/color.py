"""Colour spaces of YUV pictures: the standards' own numbers, and the way to the one that everything here is made for.

Luma is Kr R + (1 - Kr - Kb) G + Kb B, chroma (B - luma) / (2 - 2 Kb) and (R - luma) / (2 - 2 Kr): ITU-R BT.601-7,
2.5.1 and BT.709-6, 3.2 and 3.3. In limited range luma is 16 to 235 and chroma 16 to 240 (BT.601-7, 2.5.3); in full
range both are 0 to 255 (ITU-T T.871, 7, which is JPEG's).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from picam_webrtc.frame import SEMI_PLANAR, ColorSpace, Frame, Pixels

Matrix = NDArray[np.float64]
Plane = NDArray[np.float32]

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
    convert(pixels, frame, CODINGS[frame.color_space])
    return replace(frame, pixels=pixels, color_space=ColorSpace.SMPTE170M)


def _convert_semi_planar(pixels: Pixels, frame: Frame, source: Coding) -> None:
    height = frame.height
    first = int(frame.encoding == "nv21")
    luma, chroma = pixels[:height], pixels[height:]
    blue, red = chroma[:, first::2], chroma[:, 1 - first :: 2]
    luma[:], blue[:], red[:] = _recoded(luma, blue, red, source, (2, 2))


def _convert_packed(pixels: Pixels, frame: Frame, source: Coding) -> None:
    """UYVY or YUY2, (height, width, 2)."""
    at = 1 if frame.encoding == "yuv422" else 0
    luma, chroma = pixels[:, :, at], pixels[:, :, 1 - at]
    blue, red = chroma[:, 0::2], chroma[:, 1::2]
    luma[:], blue[:], red[:] = _recoded(luma, blue, red, source, (1, 2))


def _recoded(
    luma: Pixels, blue: Pixels, red: Pixels, source: Coding, shared_by: tuple[int, int]
) -> tuple[Pixels, Pixels, Pixels]:
    """Planes in SMPTE170M; a chroma sample is shared by so many rows and columns of luma."""
    target = CODINGS[ColorSpace.SMPTE170M]
    matrix = (target.matrix() @ np.linalg.inv(source.matrix())).astype(np.float32)
    y = (luma.astype(np.float32) - source.black) / source.luma_span
    cb, cr = ((plane.astype(np.float32) - NEUTRAL) / source.chroma_span for plane in (blue, red))
    shift = np.kron(matrix[0, 1] * cb + matrix[0, 2] * cr, np.ones(shared_by, np.float32))
    y = matrix[0, 0] * y + shift[: y.shape[0], : y.shape[1]]
    return (
        _clipped(target.black + target.luma_span * y),
        _clipped(NEUTRAL + target.chroma_span * (matrix[1, 1] * cb + matrix[1, 2] * cr)),
        _clipped(NEUTRAL + target.chroma_span * (matrix[2, 1] * cb + matrix[2, 2] * cr)),
    )


def _clipped(plane: Plane) -> Pixels:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)

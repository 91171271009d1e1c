"""Any supported encoding to planar YUV 4:2:0 (BT.601, limited range), the input of every encoder.

An I420 picture of (width, height) is one uint8 array (height * 3 / 2, width): luma, then U, then V.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from picam_webrtc.color import FULL_TO_LIMITED_LUMA, as_smpte170m
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame, Pixels

NEUTRAL_CHROMA = 128


def even_size(width: int, height: int) -> tuple[int, int]:
    """The largest size of whole 2x2 blocks, which share a chroma sample, inside `width` x `height`."""
    return width & ~1, height & ~1


def empty(width: int, height: int) -> Pixels:
    return np.empty((height * 3 // 2, width), np.uint8)


def planes(i420: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Views of Y (h, w), U and V (h / 2, w / 2)."""
    rows, width = i420.shape
    height = rows * 2 // 3
    chroma = i420[height:].reshape(2, height // 2, width // 2)
    return i420[:height], chroma[0], chroma[1]


def convert(frame: Frame, out: Pixels) -> None:
    """Write `frame` to the I420 array `out` of its `even_size`; an odd last column or row is left out.

    Whatever colour space the frame has, the picture is BT.601 in limited range. Raises ImageError when the encoding is
    unknown or less than 2x2 pixels remain.
    """
    converter = _CONVERTERS.get(frame.encoding)
    if converter is None:
        raise ImageError(f"encoding {frame.encoding!r} cannot be streamed; these can: {', '.join(sorted(_CONVERTERS))}")
    width, height = even_size(frame.width, frame.height)
    if not width or not height:
        raise ImageError(f"image of {frame.width}x{frame.height} pixels: a video needs at least 2x2")
    if out.shape != (height * 3 // 2, width):
        raise ImageError(f"I420 array of shape {out.shape} for a picture of {width}x{height}")
    converter(as_smpte170m(frame).pixels, out)


def scale(source: Pixels, out: Pixels) -> None:
    """Resize one I420 picture into another, plane by plane."""
    for plane, target in zip(planes(source), planes(out), strict=True):
        cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)


def _from_color(code: int) -> Callable[[Pixels, Pixels], None]:
    def converter(pixels: Pixels, out: Pixels) -> None:
        height, width = out.shape[0] * 2 // 3, out.shape[1]
        cv2.cvtColor(pixels[:height, :width], code, dst=out)

    return converter


def _from_mono(pixels: Pixels, out: Pixels) -> None:
    luma, *_ = planes(out)
    cv2.LUT(pixels[: luma.shape[0], : luma.shape[1]], FULL_TO_LIMITED_LUMA, dst=luma)
    out[luma.shape[0] :] = NEUTRAL_CHROMA


def _from_packed_422(luma_channel: int) -> Callable[[Pixels, Pixels], None]:
    """UYVY or YUY2: chroma is halved vertically by averaging two rows."""

    def converter(pixels: Pixels, out: Pixels) -> None:
        luma, u, v = planes(out)
        height, width = luma.shape
        visible = pixels[:height, :width]
        np.copyto(luma, cv2.extractChannel(visible, luma_channel))
        pairs = cv2.extractChannel(visible, 1 - luma_channel).reshape(height, width // 2, 2)
        chroma = cv2.resize(pairs, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        np.copyto(u, cv2.extractChannel(chroma, 0))
        np.copyto(v, cv2.extractChannel(chroma, 1))

    return converter


def _from_semi_planar(first_chroma: int) -> Callable[[Pixels, Pixels], None]:
    """nv12 (U first) or nv21 (V first): the interleaved chroma plane is taken apart."""

    def converter(pixels: Pixels, out: Pixels) -> None:
        luma, u, v = planes(out)
        height, width = luma.shape
        np.copyto(luma, pixels[:height])
        # Copied first: rows may be padded, and a padded plane has no pairs to be viewed as.
        pairs = np.ascontiguousarray(pixels[height:]).reshape(height // 2, width // 2, 2)
        np.copyto(u, cv2.extractChannel(pairs, first_chroma))
        np.copyto(v, cv2.extractChannel(pairs, 1 - first_chroma))

    return converter


_CONVERTERS: Mapping[str, Callable[[Pixels, Pixels], None]] = MappingProxyType(
    {
        "bgr8": _from_color(cv2.COLOR_BGR2YUV_I420),
        "rgb8": _from_color(cv2.COLOR_RGB2YUV_I420),
        "bgra8": _from_color(cv2.COLOR_BGRA2YUV_I420),
        "rgba8": _from_color(cv2.COLOR_RGBA2YUV_I420),
        "mono8": _from_mono,
        "yuv422": _from_packed_422(luma_channel=1),
        "yuv422_yuy2": _from_packed_422(luma_channel=0),
        "nv12": _from_semi_planar(first_chroma=0),
        "nv21": _from_semi_planar(first_chroma=1),
    }
)

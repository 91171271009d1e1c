"""Frames as JPEG: by simplejpeg where it is installed (libjpeg-turbo without conversions), else by OpenCV."""

from types import ModuleType
from typing import Any

import cv2
import numpy as np

from picam_webrtc.color import LIMITED_TO_FULL_CHROMA, LIMITED_TO_FULL_LUMA, as_smpte170m
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import ColorSpace, Frame, Pixels

SIMPLEJPEG: ModuleType | None
try:
    import simplejpeg  # type: ignore[import-untyped, import-not-found, unused-ignore]

    # Before 1.8 it lacks this.
    SIMPLEJPEG = simplejpeg if hasattr(simplejpeg, "encode_jpeg_yuv_planes") else None
except ImportError:
    SIMPLEJPEG = None

SIMPLEJPEG_COLORSPACES = {"bgr8": "BGR", "rgb8": "RGB", "bgra8": "BGRX", "rgba8": "RGBX", "mono8": "GRAY"}
TO_BGR = {
    "rgb8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGBA2BGR,
    "bgra8": cv2.COLOR_BGRA2BGR,
    "nv12": cv2.COLOR_YUV2BGR_NV12,
    "nv21": cv2.COLOR_YUV2BGR_NV21,
    "yuv422": cv2.COLOR_YUV2BGR_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2BGR_YUY2,
}
RESTORED_ENCODINGS = frozenset({"bgr8", "rgb8", "bgra8", "rgba8"})
"""Of our encodings those that compressed_image_transport's subscriber makes of a decoded picture."""
CHROMA_ORDER = {"nv12": (0, 1), "nv21": (1, 0)}


def compressed_format(encoding: str) -> str:
    """The `format` of a sensor_msgs/CompressedImage, as image_transport writes it for a picture of that encoding.

    A picture in grey has no second pixel format. Those that image_transport's subscribers cannot restore (they would
    give the decoded pixels the encoding's name, and no more) are said to have been bgr8.
    """
    if encoding == "mono8":
        return "mono8; jpeg compressed "
    return f"{encoding if encoding in RESTORED_ENCODINGS else 'bgr8'}; jpeg compressed bgr8"


class JpegEncoder:
    """Encodes a frame once, however often it is asked for. Not for several threads."""

    def __init__(self) -> None:
        self._last: tuple[Frame, int, bytes] | None = None

    def encode(self, frame: Frame, quality: int) -> bytes:
        """A JPEG file of `quality` 1 to 100, colour at half resolution. Raises ImageError."""
        if self._last is not None and self._last[0] is frame and self._last[1] == quality:
            return self._last[2]
        data = _with_opencv(frame, quality) if SIMPLEJPEG is None else _with_simplejpeg(SIMPLEJPEG, frame, quality)
        self._last = (frame, quality, data)
        return data

    def forget(self) -> None:
        """Let go of the last frame."""
        self._last = None


def _with_simplejpeg(library: Any, frame: Frame, quality: int) -> bytes:
    if frame.encoding in CHROMA_ORDER and not (frame.width % 2 or frame.height % 2):
        return bytes(library.encode_jpeg_yuv_planes(*_jpeg_planes(frame), quality=quality))
    pixels = as_smpte170m(frame).pixels
    colorspace = SIMPLEJPEG_COLORSPACES.get(frame.encoding)
    if colorspace is None:
        pixels, colorspace = cv2.cvtColor(pixels, _conversion(frame.encoding)), "BGR"
    picture = np.ascontiguousarray(pixels).reshape(frame.height, frame.width, -1)
    subsampling = "Gray" if colorspace == "GRAY" else "420"
    return bytes(library.encode_jpeg(picture, quality, colorspace, subsampling))


def _jpeg_planes(frame: Frame) -> tuple[Pixels, Pixels, Pixels]:
    """Luma and chroma of nv12 or nv21 as JPEG has them: BT.601 in full range (ITU-T T.871)."""
    is_jpegs = frame.color_space is ColorSpace.SYCC
    pixels = frame.pixels if is_jpegs else as_smpte170m(frame).pixels
    u, v = CHROMA_ORDER[frame.encoding]
    luma, chroma = pixels[: frame.height], pixels[frame.height :]
    y, cb, cr = (np.ascontiguousarray(plane) for plane in (luma, chroma[:, u::2], chroma[:, v::2]))
    if is_jpegs:
        return y, cb, cr
    return cv2.LUT(y, LIMITED_TO_FULL_LUMA), *(cv2.LUT(plane, LIMITED_TO_FULL_CHROMA) for plane in (cb, cr))


def _with_opencv(frame: Frame, quality: int) -> bytes:
    pixels = as_smpte170m(frame).pixels
    if frame.encoding not in ("bgr8", "mono8"):
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), _conversion(frame.encoding))
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ImageError(f"OpenCV cannot compress a {frame.width}x{frame.height} {frame.encoding} image")
    return data.tobytes()


def _conversion(encoding: str) -> int:
    try:
        return TO_BGR[encoding]
    except KeyError:
        raise ImageError(f"encoding {encoding!r} cannot be compressed as JPEG") from None

"""Image encodings without a direct view, converted to bgr8: by cv_bridge where it is installed, else by OpenCV."""

from types import ModuleType

import cv2
import numpy as np
from sensor_msgs.msg import Image

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import SUPPORTED_ENCODINGS, Pixels

CV_BRIDGE: ModuleType | None
try:
    import cv_bridge

    CV_BRIDGE = cv_bridge
except ImportError:
    CV_BRIDGE = None

# OpenCV names a Bayer pattern by its second row's second and third pixels, ROS by the first row's first two.
TO_BGR: dict[str, tuple[type[np.generic], int, int | None]] = {
    "8UC1": (np.uint8, 1, cv2.COLOR_GRAY2BGR),
    "8UC3": (np.uint8, 3, None),
    "8UC4": (np.uint8, 4, cv2.COLOR_BGRA2BGR),
    "bayer_rggb8": (np.uint8, 1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (np.uint8, 1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (np.uint8, 1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (np.uint8, 1, cv2.COLOR_BayerGB2BGR),
    "bayer_rggb16": (np.uint16, 1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr16": (np.uint16, 1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg16": (np.uint16, 1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg16": (np.uint16, 1, cv2.COLOR_BayerGB2BGR),
    "mono16": (np.uint16, 1, cv2.COLOR_GRAY2BGR),
    "16UC1": (np.uint16, 1, cv2.COLOR_GRAY2BGR),
    "bgr16": (np.uint16, 3, None),
    "rgb16": (np.uint16, 3, cv2.COLOR_RGB2BGR),
    "bgra16": (np.uint16, 4, cv2.COLOR_BGRA2BGR),
    "rgba16": (np.uint16, 4, cv2.COLOR_RGBA2BGR),
    "32FC1": (np.float32, 1, cv2.COLOR_GRAY2BGR),
}
"""Encoding → (number type, channels, OpenCV's conversion to BGR)."""

DEPTH_ENCODINGS = frozenset({"16UC1", "32FC1"})
"""Depth pictures: stretched from nearest to farthest, because their values have no fixed white."""


def converted(message: Image) -> Pixels:
    """The picture in `message` as (height, width, 3) BGR. Raises ImageError."""
    if CV_BRIDGE is not None and message.encoding not in DEPTH_ENCODINGS:
        try:
            return np.asarray(CV_BRIDGE.CvBridge().imgmsg_to_cv2(message, "bgr8"))
        except (CV_BRIDGE.CvBridgeError, ValueError, TypeError) as error:
            raise ImageError(f"encoding {message.encoding!r}: {error}") from error
    row = TO_BGR.get(message.encoding)
    if row is None:
        known = ", ".join(sorted(SUPPORTED_ENCODINGS | TO_BGR.keys()))
        raise ImageError(f"encoding {message.encoding!r} is unknown here; these are known: {known}")
    number_type, channels, conversion = row
    pixels = _numbers(message, np.dtype(number_type), channels)
    eight_bit = _stretched(pixels) if message.encoding in DEPTH_ENCODINGS else _eight_bit(pixels)
    return eight_bit if conversion is None else np.asarray(cv2.cvtColor(eight_bit, conversion))


def _numbers(message: Image, dtype: np.dtype[np.generic], channels: int) -> Pixels:
    """(height, width[, channels]) of `dtype` in the machine's byte order, row padding left out."""
    row_bytes = message.width * channels * dtype.itemsize
    needed = message.step * (message.height - 1) + row_bytes
    if message.width < 1 or message.height < 1 or message.step < row_bytes or len(message.data) < needed:
        raise ImageError(
            f"{len(message.data)} bytes, step {message.step}, for {message.width}x{message.height} pixels "
            f"of {message.encoding}: the image is empty or cut short"
        )
    data = np.frombuffer(message.data, np.uint8)
    rows = np.lib.stride_tricks.as_strided(data, (message.height, row_bytes), (message.step, 1), writeable=False)
    order = dtype.newbyteorder(">" if message.is_bigendian else "<")
    pixels = np.ascontiguousarray(rows).view(order).astype(dtype, copy=False)
    return pixels.reshape(message.height, message.width, channels) if channels > 1 else pixels


def _eight_bit(pixels: Pixels) -> Pixels:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def _stretched(pixels: Pixels) -> Pixels:
    finite = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(cv2.normalize(finite, np.zeros_like(finite), 0, 255, cv2.NORM_MINMAX), np.uint8)

"""Pictures in YUV as the standard defines it, for tests: BT.601, studio range (16 ... 235, 16 ... 240)."""

import numpy as np

from picam_webrtc.frame import Pixels

FROM_RGB = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
"""ITU-R BT.601-7, section 2.5.3: Y, Cb and Cr of R, G and B in 0 ... 255."""
OFFSET = np.array([16, 128, 128])


def yuv444(bgr: Pixels) -> Pixels:
    """Height x width x (Y, Cb, Cr)."""
    return np.asarray(np.rint(bgr[:, :, ::-1] @ FROM_RGB.T + OFFSET), np.uint8)


def packed_422(bgr: Pixels, encoding: str) -> Pixels:
    """As `yuv422` (UYVY) or `yuv422_yuy2` (YUYV): height x width x 2, chroma of every second pixel."""
    yuv = yuv444(bgr)
    luma = yuv[:, :, 0]
    chroma = np.empty_like(luma)
    chroma[:, 0::2], chroma[:, 1::2] = yuv[:, 0::2, 1], yuv[:, 0::2, 2]
    return np.dstack((chroma, luma) if encoding == "yuv422" else (luma, chroma))

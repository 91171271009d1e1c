"""Pictures in compressed messages."""

from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np

HALF = np.zeros((48, 64, 3), np.uint8)
HALF[:, 32:] = (0, 0, 255)


def encoded(extension: str, pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(extension, pixels)
    assert done
    return data.tobytes()


def video(count: int) -> list[bytes]:
    """H.264 in Annex B, a packet a picture, the first a key frame."""
    context = av.VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.options = {"tune": "zerolatency"}
    frames: Sequence[av.VideoFrame | None] = [av.VideoFrame.from_ndarray(HALF, format="bgr24") for _ in range(count)]
    return [bytes(packet) for frame in [*frames, None] for packet in context.encode(frame)]

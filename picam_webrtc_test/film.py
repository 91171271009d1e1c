"""Films of still pictures, for the source video_file."""

from fractions import Fraction
from pathlib import Path

import av
import cv2

WIDTH, HEIGHT = 1280, 720
FRAME_RATE, FRAMES = 15, 30
SURROUND_BGR = (92, 84, 76)
PICTURE_HEIGHT = 600
"""Less than the film's, so that boxes around the whole of it can be seen."""


def film_of(picture: Path, film: Path) -> Path:
    """Two seconds of a still picture on a plain ground, 1280x720, as an H.264 file."""
    pixels = cv2.imread(str(picture))
    assert pixels is not None, f"{picture} is no picture"
    width = round(pixels.shape[1] * PICTURE_HEIGHT / pixels.shape[0]) & ~1
    left, top = (WIDTH - width) // 2, (HEIGHT - PICTURE_HEIGHT) // 2
    resized = cv2.resize(pixels, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(
        resized, top, HEIGHT - PICTURE_HEIGHT - top, left, WIDTH - width - left, cv2.BORDER_CONSTANT, value=SURROUND_BGR
    )
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FRAME_RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(framed, format="bgr24")))
        container.mux(stream.encode())
    return film

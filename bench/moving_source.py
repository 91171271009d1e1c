"""A 720p30 picture that moves everywhere and costs its process nothing: frames drawn beforehand, played to and fro."""

import asyncio
import time
from collections.abc import Callable

import cv2
import numpy as np

from picam_webrtc.frame import Frame, Pixels

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
DRAWN = 30


def draw() -> list[Pixels]:
    """Soft texture that pans, with sharp blocks that move against it: enough to need 2 Mbit/s."""
    random = np.random.default_rng(11)
    noise = random.integers(0, 256, (HEIGHT // 4, (WIDTH + 16 * DRAWN) // 4, 3), np.uint8)
    texture = cv2.GaussianBlur(cv2.resize(noise, (WIDTH + 16 * DRAWN, HEIGHT)), (0, 0), 4)
    pictures = []
    for number in range(DRAWN):
        picture = np.ascontiguousarray(texture[:, 3 * number : 3 * number + WIDTH])
        for block in range(8):
            x, y = (block * 173 + number * 9) % (WIDTH - 80), 60 + block * 78
            cv2.rectangle(picture, (x, y), (x + 70, y + 50), (block * 31, 255 - block * 25, 128), -1)
        picture.flags.writeable = False
        pictures.append(picture)
    return pictures


async def play(push: Callable[[Frame], None]) -> None:
    """Push a frame every thirtieth of a second, for ever."""
    pictures = draw()
    order = [*range(DRAWN), *range(DRAWN - 2, 0, -1)]
    start, count = time.monotonic(), 0
    while True:
        push(Frame(pictures[order[count % len(order)]], "bgr8", time.time_ns(), "bench"))
        count += 1
        await asyncio.sleep(max(0.0, start + count / FRAME_RATE - time.monotonic()))

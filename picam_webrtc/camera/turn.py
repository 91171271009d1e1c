"""Pictures turned by quarters, where the camera cannot do it itself."""

from dataclasses import replace

import cv2
import numpy as np

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import SEMI_PLANAR, Frame, Pixels

ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
UNTURNABLE = frozenset({"yuv422", "yuv422_yuy2"})
"""Pairs of pixels share their colour: turned by a quarter, the pairs would stand upright."""


class Turner:
    """Turns frame sets clockwise as far as they say; for one thread."""

    def __init__(self) -> None:
        self._pools: dict[tuple[int, ...], BufferPool] = {}

    def __call__(self, frame_set: FrameSet) -> FrameSet:
        """Raises CameraError for encodings that cannot be turned."""
        if not frame_set.turn:
            return frame_set
        lores = self._turned(frame_set.lores, frame_set.turn) if frame_set.lores is not None else None
        return replace(frame_set, frame=self._turned(frame_set.frame, frame_set.turn), lores=lores, turn=0)

    def _turned(self, frame: Frame, degrees: int) -> Frame:
        if frame.encoding in UNTURNABLE:
            raise CameraError(f"{frame.encoding} pictures cannot be turned: orientation needs another format")
        height, width = frame.height, frame.width
        if degrees % 180:
            height, width = width, height
        rows = height * 3 // 2 if frame.encoding in SEMI_PLANAR else height
        pixels = self._take((rows, width, *frame.pixels.shape[2:]))
        rotation = ROTATIONS[degrees]
        if frame.encoding in SEMI_PLANAR:
            _rotate(frame.pixels[: frame.height], rotation, pixels[:height])
            pairs = np.ascontiguousarray(frame.pixels[frame.height :]).reshape(frame.height // 2, frame.width // 2, 2)
            _rotate(pairs, rotation, pixels[height:].reshape(height // 2, width // 2, 2))
        else:
            _rotate(frame.pixels, rotation, pixels)
        pixels.flags.writeable = False
        view = frame.view.turned(degrees) if frame.view is not None else None
        return replace(frame, pixels=pixels, view=view)

    def _take(self, shape: tuple[int, ...]) -> Pixels:
        if shape not in self._pools:
            self._pools[shape] = BufferPool(shape)
        return self._pools[shape].take()


def _rotate(pixels: Pixels, rotation: int, target: Pixels) -> None:
    cv2.rotate(np.ascontiguousarray(pixels), rotation, dst=target)

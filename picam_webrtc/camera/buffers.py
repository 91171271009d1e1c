"""Picture buffers that come back by themselves when nobody looks at them any more."""

import weakref
from collections import deque
from collections.abc import Callable

import numpy as np

from picam_webrtc.frame import Pixels

KEPT_BUFFERS = 4
"""Free buffers held for reuse: a camera's usual number of pictures in flight."""


class BufferPool:
    """Lends pictures of one shape and takes each back once it and all views of it are gone.

    A recycled one still shows what was last drawn on it, so a picture that changes little costs little;
    and its memory is mapped already, where a fresh one is faulted in page by page.
    """

    def __init__(self, shape: tuple[int, ...], prepare: Callable[[Pixels], None] = lambda _: None) -> None:
        """`prepare` draws on a new picture, which is black."""
        self._shape = shape
        self._prepare = prepare
        self._free: deque[bytearray] = deque(maxlen=KEPT_BUFFERS)

    def take(self) -> Pixels:
        """A free picture or a new one, uint8."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = bytearray(int(np.prod(self._shape)))
            self._prepare(np.frombuffer(buffer, np.uint8).reshape(self._shape))
        # numpy shortens chains of views to the array that is no view of another: every view of the
        # picture, however derived, keeps `lent` alive.
        lent = np.frombuffer(buffer, np.uint8)
        weakref.finalize(lent, self._free.append, buffer).atexit = False
        return lent.reshape(self._shape)

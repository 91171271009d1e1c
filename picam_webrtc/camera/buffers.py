"""Picture buffers that come back by themselves when nobody looks at them any more."""

import weakref
from collections import deque
from collections.abc import Callable

import numpy as np

from picam_webrtc.frame import Pixels

KEPT_BUFFERS = 4
"""Free buffers held for reuse: a camera's usual number of pictures in flight."""


class BufferPool:
    """Lends arrays and takes each back once it and all views of it are gone.

    A recycled array still shows what was last drawn on it, so a picture that changes little costs
    little; and its memory is mapped already, where a fresh one is faulted in page by page.
    """

    def __init__(self, make: Callable[[], Pixels]) -> None:
        self._make = make
        self._free: deque[Pixels] = deque(maxlen=KEPT_BUFFERS)

    def take(self) -> Pixels:
        """A free array, or a new one from `make`."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = self._make()
        # numpy shortens chains of views to the array at their end. The memoryview stops it there, so
        # that every view, however derived, keeps `lent` alive.
        lent = np.asarray(buffer.data)
        weakref.finalize(lent, self._free.append, buffer).atexit = False
        return lent

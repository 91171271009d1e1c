"""Two pictures of one moment: the small one that a model looks at, and the full one that is drawn on."""

import logging
import threading
from collections.abc import Callable

from picam_webrtc.frame import Frame

_logger = logging.getLogger(__name__)

KEPT = 4
"""Frames of each kind that wait for their twin: the two topics of a camera are a frame apart at most."""


class FramePairs:
    """Hands on frames of equal stamps together, from any thread; one whose twin does not come is dropped."""

    def __init__(self, on_pair: Callable[[Frame, Frame], None]) -> None:
        """`on_pair(small, picture)` is called on the thread that brings the second of the two."""
        self._on_pair = on_pair
        self._lock = threading.Lock()
        self._small: dict[int, Frame] = {}
        self._pictures: dict[int, Frame] = {}
        self._is_quiet = False
        self.pairs = 0
        self.unpaired = 0
        """Frames that were dropped because their twin did not come."""

    def put_small(self, frame: Frame) -> None:
        self._put(frame, self._small, self._pictures)

    def put_picture(self, frame: Frame) -> None:
        self._put(frame, self._pictures, self._small)

    def _put(self, frame: Frame, own: dict[int, Frame], others: dict[int, Frame]) -> None:
        with self._lock:
            own[frame.stamp_ns] = frame
            if frame.stamp_ns not in others:
                self._forget(own)
                return
            small, picture = self._small[frame.stamp_ns], self._pictures[frame.stamp_ns]
            # What is older has lost: its twin would come out of order.
            for waiting in (own, others):
                for stamp in [stamp for stamp in waiting if stamp <= frame.stamp_ns]:
                    del waiting[stamp]
            self.pairs += 1
        self._on_pair(small, picture)

    def _forget(self, waiting: dict[int, Frame]) -> None:
        while len(waiting) > KEPT:
            del waiting[next(iter(waiting))]
            self.unpaired += 1
            if not self.pairs and not self._is_quiet:
                self._is_quiet = True
                _logger.warning("No two frames have the same stamp: is lores_topic published, and by the same camera?")

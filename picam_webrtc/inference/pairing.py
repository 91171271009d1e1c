"""What belongs to one moment: a full picture, and a smaller one or what the sensor made of it."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from picam_webrtc.frame import Frame

_logger = logging.getLogger(__name__)

KEPT = 4
"""Frames of each kind that wait for their twin: the two topics of a camera are a frame apart at most."""


NO_TWO_FRAMES = "No two frames have the same stamp: is lores_topic published, and by the same camera?"


class Stamped(Protocol):
    @property
    def stamp_ns(self) -> int: ...


S = TypeVar("S", bound=Stamped)
T = TypeVar("T")


class FramePairs(Generic[S]):
    """Hands on what has equal stamps together, from any thread. One whose twin does not come is dropped.

    `on_alone` gets pictures of which so many wait that their twins seem not to come at all.
    """

    def __init__(
        self,
        on_pair: Callable[[S, Frame], None],
        on_alone: Callable[[Frame], None] | None = None,
        complaint: str = NO_TWO_FRAMES,
        patience: int = 1,
    ) -> None:
        """`on_pair(small, picture)` is called on the thread that brings the second of the two; `complaint` is logged
        where so many have found none, and no two have ever met.
        """
        self._on_pair = on_pair
        self._on_alone = on_alone
        self._complaint = complaint
        self._patience = patience
        self._lock = threading.Lock()
        self._small: dict[int, S] = {}
        self._pictures: dict[int, Frame] = {}
        self._is_quiet = False
        self.pairs = 0
        self.unpaired = 0
        """Frames that were dropped because their twin did not come."""

    def put_small(self, small: S) -> None:
        with self._lock:
            self._small[small.stamp_ns] = small
            met = self._met(small.stamp_ns)
            if met is None:
                self._forget(self._small)
        if met is not None:
            self._on_pair(*met)

    def put_picture(self, picture: Frame) -> None:
        alone = None
        with self._lock:
            self._pictures[picture.stamp_ns] = picture
            met = self._met(picture.stamp_ns)
            if met is None:
                alone = self._forget(self._pictures)
        if met is not None:
            self._on_pair(*met)
        elif alone is not None and self._on_alone is not None:
            self._on_alone(alone)

    def _met(self, stamp_ns: int) -> tuple[S, Frame] | None:
        if stamp_ns not in self._small or stamp_ns not in self._pictures:
            return None
        met = self._small[stamp_ns], self._pictures[stamp_ns]
        # What is older has lost: its twin would come out of order.
        self.unpaired += _drop_up_to(stamp_ns, self._small) + _drop_up_to(stamp_ns, self._pictures) - len(met)
        self.pairs += 1
        return met

    def _forget(self, waiting: dict[int, T]) -> T | None:
        """The oldest that waits, where too many do."""
        if len(waiting) <= KEPT:
            return None
        self.unpaired += 1
        if self.unpaired >= self._patience and not self.pairs and not self._is_quiet:
            self._is_quiet = True
            _logger.warning("%s", self._complaint)
        return waiting.pop(next(iter(waiting)))


def _drop_up_to(stamp_ns: int, waiting: dict[int, T]) -> int:
    """How many that were."""
    old = [stamp for stamp in waiting if stamp <= stamp_ns]
    for stamp in old:
        del waiting[stamp]
    return len(old)

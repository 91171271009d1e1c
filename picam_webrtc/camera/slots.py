"""Pictures in memory that two processes share: written by the capture process, read by camera_node.

Each stream of a camera has a memfd (memfd_create(2)) of SLOTS slots. The capture process lends a slot with the message
that announces its picture, and gets it back by message when nobody looks at the picture any more. The memory is sealed:
its reader cannot write to it, and neither side can make it smaller under the other's feet.
"""

import fcntl
import mmap
import os
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from math import prod

import numpy as np

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera_settings import MOST_HEIGHT, MOST_WIDTH
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Pixels

SLOTS = 16
"""Memory is taken for as many as were in use at once: the free one with the lowest number is used next."""
MOST_HELD = 12
"""Of a stream's slots; of a picture beyond them camera_node makes a copy, so that the camera never waits for whoever
keeps pictures."""
RETURNED_TOGETHER = 4
"""A message for each would cost more than the memory that waits for it."""
F_SEAL_FUTURE_WRITE = 0x10
"""fcntl.h, Linux 5.1: who has mapped the memory writes on, nobody else begins to."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | F_SEAL_FUTURE_WRITE
LARGEST_PICTURE_BYTES = MOST_WIDTH * MOST_HEIGHT * 4
MOST_DIMENSIONS = 3


class SlotPool:
    """The capture process' end: lends pictures as a `BufferPool` does. Used by one thread."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """uint8. Raises OSError."""
        self.shape = shape
        self._size = prod(shape)
        self.descriptor = os.memfd_create("picam_webrtc", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, SLOTS * self._size)
            memory = mmap.mmap(self.descriptor, SLOTS * self._size)  # before the seals, which would forbid it
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, SEALS)
        except OSError:
            os.close(self.descriptor)
            raise
        self._pixels = np.frombuffer(memory, np.uint8).reshape(SLOTS, *shape)
        self._spare = np.zeros(shape, np.uint8)
        self._lent: set[int] = set()
        self._taken: tuple[Pixels, int | None] | None = None

    def take(self) -> Pixels:
        """A free slot, which stays free until it is lent; memory of the process' own where there is none."""
        slot = next((slot for slot in range(SLOTS) if slot not in self._lent), None)
        pixels = self._spare.view() if slot is None else self._pixels[slot]
        self._taken = pixels, slot
        return pixels

    @property
    def taken_slot(self) -> int | None:
        """The slot that was taken last; None where none was free."""
        return None if self._taken is None else self._taken[1]

    def slot_of(self, pixels: Pixels) -> int | None:
        """That of `pixels`, which was taken last. Raises ValueError where it is something else."""
        if self._taken is None or self._taken[0] is not pixels:
            raise ValueError("a picture from somewhere else")
        return self._taken[1]

    def lend(self) -> None:
        """Mark the slot that was taken last as somebody else's."""
        if self._taken is not None and self._taken[1] is not None:
            self._lent.add(self._taken[1])
        self._taken = None

    def give_back(self, slot: int) -> None:
        """Raises CameraError for a slot that is not lent."""
        if slot not in self._lent:
            raise CameraError(f"slot {slot} came back, which is not lent")
        self._lent.remove(slot)

    def close(self) -> None:
        os.close(self.descriptor)


class SlotMapping:
    """camera_node's end. Pictures may be dropped on any thread, everything else is for one thread."""

    def __init__(self, descriptor: int, shape: Sequence[int]) -> None:
        """Map the memory behind `descriptor`, which stays the caller's. Raises CameraError when it is not as agreed."""
        self.shape = _checked_shape(shape)
        self._size = prod(self.shape)
        self._memory = _mapped(descriptor, SLOTS * self._size)
        self._leased: dict[int, weakref.ref[Pixels] | None] = {}
        self._dropped: deque[int] = deque()
        self._when_dropped = [partial(_drop, self._dropped, slot) for slot in range(SLOTS)]
        self._copies = BufferPool(self.shape)

    def lease(self, slot: int) -> Pixels:
        """The picture in a slot, or a copy of it; read-only uint8. Raises ValueError for no slot, or one in use."""
        if type(slot) is not int or not 0 <= slot < SLOTS or slot in self._leased:
            raise ValueError(f"slot {slot}, of {SLOTS}, is not free")
        held = len(self._leased) - len(self._dropped)
        self._leased[slot] = None
        view = np.frombuffer(self._memory, np.uint8, self._size, slot * self._size)
        if held >= MOST_HELD:
            self._dropped.append(slot)
            return self._copy(view)
        # As in BufferPool: every view of the picture keeps `view` alive. The mapping ends with the last of them.
        self._leased[slot] = weakref.ref(view, self._when_dropped[slot])
        return view.reshape(self.shape)

    def _copy(self, view: Pixels) -> Pixels:
        pixels = self._copies.take()
        pixels[:] = view.reshape(self.shape)
        pixels.flags.writeable = False
        return pixels

    def returned(self) -> Iterable[int]:
        """The slots that nobody looks at any more, to be given back: several at once, or at once when few are left."""
        if len(self._dropped) < RETURNED_TOGETHER and len(self._leased) <= SLOTS // 2:
            return
        while self._dropped:
            slot = self._dropped.popleft()
            del self._leased[slot]
            yield slot


def _drop(dropped: "deque[int]", slot: int, _view: object) -> None:
    dropped.append(slot)


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    whole = all(type(length) is int and length > 0 for length in shape)
    if not (1 < len(shape) <= MOST_DIMENSIONS and whole and prod(shape) <= LARGEST_PICTURE_BYTES):
        raise CameraError(f"pictures of shape {tuple(shape)!r:.60} do not exist")
    return tuple(shape)


def _mapped(descriptor: int, size: int) -> mmap.mmap:
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        raise CameraError("the capture process shares something that is no sealed memory") from error
    if seals & SEALS != SEALS:
        raise CameraError(f"the shared memory is not sealed: it has seals {seals:#x}, not {SEALS:#x}")
    held = os.fstat(descriptor).st_size
    if held < size:
        raise CameraError(f"the shared memory has {held} bytes, and {size} are needed")
    try:
        return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    except OSError as error:
        raise CameraError(f"the shared memory cannot be mapped: {error.strerror}") from error

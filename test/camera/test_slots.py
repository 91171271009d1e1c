"""Memory that two processes share: who may write, who holds what, and when it goes back."""

import ctypes
import fcntl
import gc
import mmap
import os
import tempfile
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pytest

from picam_webrtc.camera.slots import MOST_HELD, RETURNED_TOGETHER, SEALS, SLOTS, SlotMapping, SlotPool
from picam_webrtc.errors import CameraError

SHAPE = (48, 64, 3)


@pytest.fixture
def pool() -> Iterator[SlotPool]:
    pool = SlotPool(SHAPE)
    yield pool
    pool.close()


def lent(pool: SlotPool, brightness: int) -> int:
    """The slot of a picture that was taken, written and lent."""
    pool.take()[:] = brightness
    slot = pool.taken_slot
    assert slot is not None
    pool.lend()
    return slot


def memory_of(size: int, seals: int) -> int:
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def test_what_one_side_writes_the_other_reads(pool: SlotPool) -> None:
    mapping = SlotMapping(pool.descriptor, SHAPE)
    picture = mapping.lease(lent(pool, 77))

    assert picture.shape == SHAPE
    assert picture.dtype == np.uint8
    assert (picture == 77).all()


def test_a_picture_can_only_be_read(pool: SlotPool) -> None:
    picture = SlotMapping(pool.descriptor, SHAPE).lease(lent(pool, 1))

    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        picture.flags.writeable = True


def test_the_reader_cannot_write_in_any_way_nor_change_the_size(pool: SlotPool) -> None:
    with pytest.raises(PermissionError):
        mmap.mmap(pool.descriptor, prod(SHAPE))  # for reading and writing
    with pytest.raises(PermissionError):
        os.pwrite(pool.descriptor, b"x", 0)
    for size in (0, 1 << 30):
        with pytest.raises(PermissionError):
            os.ftruncate(pool.descriptor, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(pool.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_a_mapping_for_reading_does_not_become_one_for_writing(pool: SlotPool) -> None:
    picture = SlotMapping(pool.descriptor, SHAPE).lease(lent(pool, 1))
    page = picture.ctypes.data & ~(mmap.PAGESIZE - 1)
    libc = ctypes.CDLL(None, use_errno=True)

    assert libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == -1


def test_a_slot_is_used_again_when_it_has_come_back(pool: SlotPool) -> None:
    mapping = SlotMapping(pool.descriptor, SHAPE)
    for _ in range(RETURNED_TOGETHER - 1):
        mapping.lease(lent(pool, 0))
    slot = lent(pool, 1)
    row = mapping.lease(slot)[3, :, 1]  # any view keeps it
    gc.collect()
    assert list(mapping.returned()) == []
    assert lent(pool, 2) != slot
    assert (row == 1).all()

    del row
    assert list(mapping.returned()) == [0, 1, 2, slot]
    pool.give_back(slot)
    assert lent(pool, 3) == slot


def test_slots_are_given_back_at_once_where_few_are_left(pool: SlotPool) -> None:
    mapping = SlotMapping(pool.descriptor, SHAPE)
    kept = [mapping.lease(lent(pool, 0)) for _ in range(SLOTS // 2)]
    mapping.lease(lent(pool, 1))

    assert list(mapping.returned()) == [len(kept)]


def test_a_picture_that_was_taken_and_not_lent_costs_no_slot(pool: SlotPool) -> None:
    slots = set()
    for _ in range(3):
        pool.take()
        slots.add(pool.taken_slot)

    assert slots == {0}


def test_with_every_slot_lent_a_picture_has_memory_but_no_slot(pool: SlotPool) -> None:
    assert [lent(pool, 1) for _ in range(SLOTS)] == list(range(SLOTS))
    pixels = pool.take()

    assert pool.taken_slot is None
    assert pool.slot_of(pixels) is None
    with pytest.raises(ValueError, match="from somewhere else"):
        pool.slot_of(pixels.copy())
    pixels[:] = 9  # and does no harm


def test_whoever_keeps_pictures_never_keeps_the_camera_from_a_slot(pool: SlotPool) -> None:
    mapping, kept = SlotMapping(pool.descriptor, SHAPE), []
    for number in range(60):
        kept.append(mapping.lease(lent(pool, number)))
        for slot in mapping.returned():
            pool.give_back(slot)

    assert [int(picture[0, 0, 0]) for picture in kept] == list(range(60))
    assert len([None for picture in kept if not picture.flags.owndata]) == 60
    assert all(not picture.flags.writeable for picture in kept)
    del kept
    assert len(list(mapping.returned())) == MOST_HELD


def test_a_picture_outlives_both_sides_and_the_mapping_ends_with_it() -> None:
    def mapped() -> bool:
        return "memfd:picam_webrtc" in Path("/proc/self/maps").read_text()

    gc.collect()
    assert not mapped()
    pool = SlotPool(SHAPE)
    picture = SlotMapping(pool.descriptor, SHAPE).lease(lent(pool, 5))
    pool.close()
    del pool
    gc.collect()
    assert (picture == 5).all()
    assert mapped()

    del picture
    gc.collect()
    assert not mapped()


def test_a_slot_that_is_not_lent_cannot_come_back(pool: SlotPool) -> None:
    for slot in (0, -1, SLOTS):
        with pytest.raises(CameraError, match=f"slot {slot} came back, which is not lent"):
            pool.give_back(slot)


def test_a_slot_that_is_none_or_in_use_is_not_leased(pool: SlotPool) -> None:
    mapping = SlotMapping(pool.descriptor, SHAPE)
    picture = mapping.lease(3)
    for slot in (3, -1, SLOTS):
        with pytest.raises(ValueError, match=f"slot {slot}, of {SLOTS}, is not free"):
            mapping.lease(slot)
    assert picture.shape == SHAPE


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_SHRINK, SEALS & ~fcntl.F_SEAL_SHRINK, SEALS & ~0x10])
def test_memory_that_is_not_sealed_is_not_mapped(seals: int) -> None:
    descriptor = memory_of(SLOTS * prod(SHAPE), seals)
    with pytest.raises(CameraError, match="is not sealed"):
        SlotMapping(descriptor, SHAPE)
    os.close(descriptor)


def test_memory_that_is_too_small_is_not_mapped() -> None:
    descriptor = memory_of(SLOTS * prod(SHAPE) - 1, SEALS)
    with pytest.raises(CameraError, match=r"has 147455 bytes, and 147456 are needed"):
        SlotMapping(descriptor, SHAPE)
    os.close(descriptor)


def test_what_is_no_memory_is_not_mapped() -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(CameraError, match="no sealed memory"):
        SlotMapping(file.fileno(), SHAPE)


@pytest.mark.parametrize(
    "shape", [(), (5,), (1, 2, 3, 4), (0, 4), (-1, -1), (2.0, 2), (True, 2), (1 << 40, 2)], ids=str
)
def test_pictures_of_no_size_do_not_exist(pool: SlotPool, shape: tuple[int, ...]) -> None:
    with pytest.raises(CameraError, match="do not exist"):
        SlotMapping(pool.descriptor, shape)

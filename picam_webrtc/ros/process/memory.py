"""Memory of a process that lives long: an allocator fit for images thirty times a second, and nothing that piles up."""

from __future__ import annotations  # for Pythons that are too old for the rest

import ctypes
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

MEBIBYTE = 1 << 20
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
"""mallopt(3) parameter numbers, from malloc.h."""

_LIBC = ctypes.CDLL(None)


def keep_image_buffers() -> None:
    """Keep what is freed, for the next image: by itself glibc maps and unmaps every one anew.

    To be called before there are other threads: an arena, once there, stays.
    """
    mallopt = getattr(_LIBC, "mallopt", None)
    if mallopt is None:  # musl has none; images then cost a page fault for every 4 KiB
        return
    mallopt(M_MMAP_THRESHOLD, 64 * MEBIBYTE)
    mallopt(M_TRIM_THRESHOLD, 256 * MEBIBYTE)
    mallopt(M_TOP_PAD, 16 * MEBIBYTE)
    # One for all threads: what is free at the end of any other, malloc_trim does not give back.
    mallopt(M_ARENA_MAX, 1)


def keep_what_is_loaded() -> None:
    """Have no garbage collection look at what was loaded to last; to be called once everything is set up.

    Otherwise one at any time stops all threads for 70 ms on a fast machine: two frames late, for every viewer.
    """
    gc.collect()
    gc.freeze()


def tidy(node: Node) -> None:
    """When no more images come for now; on the thread that spins `node`."""
    forget_destroyed(node)
    gc.collect()  # connections that have ended refer to themselves
    give_back()


def forget_destroyed(node: Node) -> None:
    """Free what rclpy keeps of subscriptions and timers that are gone: a weak reference to each that ever was."""
    entities = node.default_callback_group.entities
    entities.difference_update([entity for entity in tuple(entities) if entity() is None])


def give_back() -> None:
    """Return the images' memory to the system; takes some milliseconds."""
    malloc_trim = getattr(_LIBC, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)

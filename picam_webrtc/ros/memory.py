"""The C library's allocator, made fit for images of some megabytes thirty times a second."""

import ctypes

MEBIBYTE = 1 << 20
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
"""mallopt(3) parameter numbers, from malloc.h."""

_LIBC = ctypes.CDLL(None)


def keep_image_buffers() -> None:
    """Keep what is freed, for the next image: by itself glibc maps and unmaps every one anew. To be called first."""
    mallopt = getattr(_LIBC, "mallopt", None)
    if mallopt is None:  # musl has none; images then cost a page fault for every 4 KiB
        return
    mallopt(M_MMAP_THRESHOLD, 64 * MEBIBYTE)
    mallopt(M_TRIM_THRESHOLD, 256 * MEBIBYTE)
    mallopt(M_TOP_PAD, 16 * MEBIBYTE)
    # Images that come by UDP are put together on many threads; an arena of each would keep its own for ever.
    mallopt(M_ARENA_MAX, 4)


def give_back() -> None:
    """Return what was kept to the system, when no more images come for now; takes some milliseconds."""
    malloc_trim = getattr(_LIBC, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)

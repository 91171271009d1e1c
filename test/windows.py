"""Measurements on a machine that is not ours alone."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
MOST_WINDOWS = 3


async def good_window(measure: Callable[[], Awaitable[T]], is_good: Callable[[T], bool]) -> T:
    """The first measurement that is good, else the last of a few.

    Whatever else the machine does may spoil one window; a fault of ours spoils every one.
    """
    for _ in range(MOST_WINDOWS - 1):
        if is_good(measured := await measure()):
            return measured
    return await measure()

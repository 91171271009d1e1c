"""Handoffs between threads where the newest value wins and older ones are dropped, or a limit holds.

Live video must not queue: a slow consumer loses frames and never delays the others. A few values may wait where none
is to be lost in a short stall; there, too, a limit holds.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

NEWEST_ALONE = 1
"""Values that may wait where only the newest counts."""


class Latest(Generic[T]):
    """Thread to thread. Any number of producers, one consumer."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._values = deque[T]()
        self._closed = False
        self.dropped = 0

    def put(self, value: T, most_waiting: int = NEWEST_ALONE) -> None:
        """Hand over a value; never blocks. The oldest give way until no more than `most_waiting` are left."""
        with self._condition:
            if self._closed:
                return
            self._values.append(value)
            while len(self._values) > most_waiting:
                self._values.popleft()
                self.dropped += 1
            self._condition.notify()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._values)

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for a value and take the oldest; None once the slot has ended or after the timeout."""
        with self._condition:
            self._condition.wait_for(lambda: self._values or self._closed, timeout_s)
            return self._values.popleft() if self._values else None

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End the consumer's wait for good; values that wait or are put later are never delivered."""
        with self._condition:
            self._values.clear()
            self.finish()

    def finish(self) -> None:
        """End the consumer's wait once it has taken what waits; values put later are never delivered."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


class AsyncLatest(Generic[T]):
    """Thread to asyncio: producers are on any thread, the one consumer is a task of `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._value: T | None = None
        self._wakeup_due = False
        self._available = asyncio.Event()
        self.dropped = 0

    def put(self, value: T) -> None:
        """Replace whatever waits; never blocks. Ignored once the loop is closed."""
        with self._lock:
            self.dropped += self._value is not None
            self._value = value
            if self._wakeup_due:
                return
            self._wakeup_due = True
        call_on_loop(self._loop, self._available.set)

    async def take(self) -> T:
        while True:
            await self._available.wait()
            with self._lock:
                self._available.clear()
                self._wakeup_due = False
                value, self._value = self._value, None
            if value is not None:
                return value


class AsyncInOrder(Generic[T]):
    """Thread to asyncio: `deliver` is called on `loop` with each value, in order, while no more than a limit wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[T], None], most_waiting: int) -> None:
        self._loop = loop
        self._deliver = deliver
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._waiting = 0

    def put(self, value: T) -> bool:
        """From any thread, never blocks. False when too many wait, or the loop is closed: the value is dropped."""
        with self._lock:
            if self._waiting >= self._most_waiting:
                return False
            self._waiting += 1
        return call_on_loop(self._loop, self._arrive, value)

    def _arrive(self, value: T) -> None:
        with self._lock:
            self._waiting -= 1
        self._deliver(value)


def call_on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> bool:
    """Run `function(*args)` soon on `loop`, from any thread; False when the loop has been closed."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        if loop.is_closed():
            return False
        raise
    return True


def run_on_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Have `loop` do `work` and wait for the result, from any other thread. Raises TimeoutError, or as `work` does."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(timeout_s)
    except TimeoutError:
        future.cancel()
        raise

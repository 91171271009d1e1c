"""Nodes and a spinning thread inside the test's own process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from rclpy.node import Node

from picam_webrtc.ros.runtime import Runtime

CONDITION_TIMEOUT_S = 10.0


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = CONDITION_TIMEOUT_S) -> None:
    """Return as soon as `condition()` is true; an AssertionError naming `what` when it never is."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        pause.wait(0.005)


def leaps(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours of which the second does not follow the first; none where nothing is missing, doubled or misplaced."""
    return [(one, next_one) for one, next_one in pairwise(numbers) if next_one != one + 1]


@contextmanager
def running_node(name: str, *arguments: str) -> Iterator[tuple[Runtime, Node]]:
    """A node whose callbacks run; `arguments` as on a command line."""
    with Runtime(["test", "--ros-args", *arguments] if arguments else []) as runtime:
        node = runtime.node(name)
        yield runtime, node


def on_spin_thread(runtime: Runtime, function: Callable[[], None]) -> None:
    """Run `function` where the nodes spin, and wait until it has run."""
    done = threading.Event()

    def call() -> None:
        function()
        done.set()

    runtime.call_soon(call)
    assert done.wait(CONDITION_TIMEOUT_S), "the spinning thread did not get to it"

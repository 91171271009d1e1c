"""Nodes and a spinning thread inside the test's own process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

"""Nodes, a spinning thread and an event loop inside the test's own process."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from picam_webrtc.frame import Frame
from picam_webrtc.latest import run_on_loop
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.messages import serialized_image

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
        node = runtime.node(name, Node)
        yield runtime, node


@contextmanager
def running_loop() -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """An event loop that goes on beside the test, as a node's does; what it gives has the loop do something."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()
    try:
        yield lambda work: run_on_loop(loop, work, CONDITION_TIMEOUT_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def on_spin_thread(runtime: Runtime, function: Callable[[], None]) -> None:
    """Run `function` where the nodes spin, and wait until it has run."""
    done = threading.Event()

    def call() -> None:
        function()
        done.set()

    runtime.call_soon(call)
    assert done.wait(CONDITION_TIMEOUT_S), "the spinning thread did not get to it"


def image_message(frame: Frame) -> Image:
    """`frame` as a subscriber gets it."""
    message: Image = deserialize_message(serialized_image(frame), Image)
    return message

"""Start and stop of a process with ROS nodes in it: environment, spinning thread, signals, exit code.

asyncio owns the main thread and the signals; rclpy spins in the thread `ros-spin`. (rclpy's own signal
handling, and its spinning in the main thread without it, both leave processes that do not end.)
"""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from types import TracebackType
from typing import Self, TypeVar

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.validate_namespace import validate_namespace

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.process import log_directory, signals
from picam_webrtc.ros.process.command_line import one_line
from picam_webrtc.ros.process.memory import keep_what_is_loaded
from picam_webrtc.ros.process.names import name_fault
from picam_webrtc.ros.process.overrides import overrides
from picam_webrtc.ros.process.packages import share_directory
from picam_webrtc.ros.process.shared_memory import loaded_fast_dds, remove_orphans, use_profile
from picam_webrtc.ros.process.unknown_parameters import UnknownParameters

logger = logging.getLogger(__name__)

N = TypeVar("N", bound=Node)
FAREWELL_TIMEOUT_S = 5.0
"""How long ROS may take to end once everything of ours is closed; `ros2 launch` kills after ten."""
ROSOUT = "/rosout"
LISTENER_TIMEOUT_S, LISTENER_CHECKS = 1.5, 75
"""How long a process that fails as it starts looks for somebody who listens to its log, who gets nothing older.

Measured: they find each other within 0.1 s, or at Fast DDS's later announcements, within 1.1 s.
"""
ACQUAINTANCE_S, DELIVERY_S = 0.3, 0.3
"""How long until the listener has found it too, and until its last words are there: rclpy cannot wait for what its
loggers publish, and a sample that comes too early is sent again after 3 s only, with the next heartbeat."""

NO_LOG_FILES = "--disable-external-lib-logs"
"""ROS's argument with which it needs no folder."""


class Runtime:
    """rclpy initialised, and one thread that spins every node created here."""

    def __init__(self, arguments: list[str] | None = None) -> None:
        self._arguments = arguments
        self._stack = ExitStack()
        self._ended = threading.Event()
        self._tasks = threading.Lock()
        self.before_stop: list[Callable[[], Awaitable[None]]] = []
        """What is to be done at the end while nodes still spin; it has to be quick."""
        self.namespace = ""
        """Full name of where nodes are made from now on, whatever the command line says; empty leaves it to that."""
        self.overrides = overrides(sys.argv if arguments is None else arguments)
        """What the command line and its files say of parameters."""
        self._nodes: list[Node] = []
        self._unknown = UnknownParameters(self.overrides)

    def __enter__(self) -> Self:
        self._warnings = prepare_process()
        _check_log_directory(sys.argv if self._arguments is None else self._arguments)
        try:
            rclpy.init(args=self._arguments, signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:  # rclpy names its argument errors differently in every distribution
            raise PicamWebrtcError(_why_not(one_line(error))) from error
        self._stack.callback(rclpy.try_shutdown)
        self.executor = SingleThreadedExecutor()
        self._thread = threading.Thread(target=_spin, args=(self.executor, self._ended), name="ros-spin", daemon=True)
        return self

    def node(self, name: str, make: Callable[..., N]) -> N:
        """A node of the class `make`, which takes a name and `cli_args`. Raises PicamWebrtcError for bad names."""
        # A node's own arguments beat those of the command line, where launch_ros writes a namespace for all nodes.
        placed = ["--ros-args", "-r", f"__ns:={self.namespace}"] if self.namespace else None
        try:
            validate_namespace(self.namespace or "/")
            node = make(name, cli_args=placed)
        except NameValidationException as error:
            raise PicamWebrtcError(f"node {self.namespace}/{name}: {name_fault(error)}") from error
        while self._warnings:
            node.get_logger().warning(self._warnings.pop(0))
        self.executor.add_node(node)
        self._stack.callback(node.destroy_node)
        self._nodes.append(node)
        return node

    def warn_of_unknown(self) -> None:
        """Say which of the parameters that were given to a node it does not have; once all are declared."""
        self._unknown.warn(self._nodes)

    async def last_words(self, error: PicamWebrtcError) -> bool:
        """Say by the node that was made last, also on /rosout, why this process ends; False where there is none yet."""
        if not self._nodes:
            return False
        node = self._nodes[-1]
        for _ in range(LISTENER_CHECKS):
            if node.count_subscribers(ROSOUT):
                await asyncio.sleep(ACQUAINTANCE_S)
                break
            await asyncio.sleep(LISTENER_TIMEOUT_S / LISTENER_CHECKS)
        node.get_logger().fatal(str(error))
        if node.count_subscribers(ROSOUT):
            await asyncio.sleep(DELIVERY_S)
        return True

    def spin(self) -> None:
        """Start the thread; nodes made before see no callback earlier than this."""
        self._thread.start()

    def call_soon(self, function: Callable[[], None]) -> None:
        """Run `function` on the thread `ros-spin`, where topics are made, changed and destroyed.

        From any thread. After `stop_spinning` nothing happens: the nodes end next, with all their topics.
        """
        with self._tasks:
            if not self._ended.is_set():
                self.executor.create_task(function)

    def stop_spinning(self) -> None:
        """Idempotent. The thread ends first: to be shut down beside it takes from an executor what it waits for."""
        if self._thread.is_alive():
            self.call_soon(self._end)
            self._thread.join()
        self._end()
        self.executor.shutdown()

    def _end(self) -> None:
        with self._tasks:
            self._ended.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_spinning()
        self._stack.close()


def _spin(executor: SingleThreadedExecutor, ended: threading.Event) -> None:
    """Spin until `ended` is set by a callback; one that raises is reported and costs nobody else anything."""
    while not ended.is_set():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception:
            logger.exception("a callback failed; the node goes on")


def run(wire: Callable[[AsyncExitStack, Runtime], Awaitable[None]]) -> int:
    """Run nodes until SIGINT or SIGTERM; the exit code.

    `wire` makes the nodes and everything they need and registers each close on the stack, so the order
    of resources reads from top to bottom. A PicamWebrtcError ends the process with one line of the node and code 1;
    it is raised where there is no node yet.
    """
    try:
        return asyncio.run(_main(wire))
    finally:
        # The loop has given the signals back; from here on the process ends by itself.
        signals.ignore()


async def _main(wire: Callable[[AsyncExitStack, Runtime], Awaitable[None]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals.STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    with Runtime(sys.argv) as runtime, farewell_deadline():
        try:
            await _work(wire, runtime, stop)
        except PicamWebrtcError as error:
            if not await runtime.last_words(error):
                raise
            return 1
    return 0


async def _work(
    wire: Callable[[AsyncExitStack, Runtime], Awaitable[None]], runtime: Runtime, stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        await wire(stack, runtime)
        runtime.warn_of_unknown()
        keep_what_is_loaded()
        runtime.spin()
        stack.callback(runtime.stop_spinning)
        await stop.wait()
        for last_words in runtime.before_stop:
            await last_words()


@contextmanager
def farewell_deadline() -> Iterator[None]:
    """After the block the process ends in any case: with a traceback and code 1 where something does not let go.

    Fast DDS may turn in circles for ever when it loses sight of another process while it ends: with libstdc++ before
    10, as in the wheels, it tries again at once what it should wait for (Fast-DDS issue 6513).
    """
    try:
        yield
    finally:
        faulthandler.dump_traceback_later(FAREWELL_TIMEOUT_S, exit=True)


def _check_log_directory(arguments: list[str]) -> None:
    """Ahead of rcl, which tells of it in many lines. Raises PicamWebrtcError."""
    if NO_LOG_FILES not in arguments and (reason := log_directory.fault(os.environ)):
        raise PicamWebrtcError(f"{reason}; {log_directory.REMEDY}")


def _why_not(said: str) -> str:
    """Why rclpy.init refused, of which rcl has `said` that."""
    if "initialize logging" not in said:
        return f"ROS arguments: {said}"
    return f"ROS cannot write its logs: {said}; {log_directory.REMEDY}"


def prepare_process() -> list[str]:
    """Get a shared-memory segment that holds 720p images, where Fast DDS is the middleware; what the user should know.

    Before rclpy.init, which reads the profile.
    """
    rclpy.get_rmw_implementation_identifier()  # loads the middleware
    fast_dds = loaded_fast_dds()
    if fast_dds is None:
        return []
    remove_orphans(fast_dds)
    return use_profile(fast_dds, share_directory() / "config" / "fastdds.xml")

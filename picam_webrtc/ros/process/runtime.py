"""Start and stop of a process with ROS nodes in it: environment, spinning thread, signals, exit code.

asyncio owns the main thread and the signals; rclpy spins in the thread `ros-spin`. (rclpy's own signal
handling, and its spinning in the main thread without it, both leave processes that do not end.)
"""

import asyncio
import faulthandler
import logging
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.process import log_directory, signals
from picam_webrtc.ros.process.memory import keep_what_is_loaded
from picam_webrtc.ros.process.shared_memory import loaded_fast_dds, remove_orphans, use_profile

logger = logging.getLogger(__name__)

N = TypeVar("N", bound=Node)
PACKAGE = "picam_webrtc"
FAREWELL_TIMEOUT_S = 5.0
"""How long ROS may take to end once everything of ours is closed; `ros2 launch` kills after ten."""

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
        """Where nodes are made from now on, unless the command line says otherwise."""

    def __enter__(self) -> Self:
        self._warnings = prepare_process()
        _check_log_directory(sys.argv if self._arguments is None else self._arguments)
        try:
            rclpy.init(args=self._arguments, signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:  # rclpy names its argument errors differently in every distribution
            raise PicamWebrtcError(_why_not(_without_source_lines(error))) from error
        self._stack.callback(rclpy.try_shutdown)
        self.executor = SingleThreadedExecutor()
        self._thread = threading.Thread(target=_spin, args=(self.executor, self._ended), name="ros-spin", daemon=True)
        return self

    def node(self, name: str, make: Callable[..., N]) -> N:
        """A node of the class `make`, which takes a name and a `namespace`."""
        node = make(name, namespace=self.namespace)
        while self._warnings:
            node.get_logger().warning(self._warnings.pop(0))
        self.executor.add_node(node)
        self._stack.callback(node.destroy_node)
        return node

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
    of resources reads from top to bottom. A PicamWebrtcError ends the process with one line and code 1.
    """
    try:
        asyncio.run(_main(wire))
    except PicamWebrtcError as error:
        print(f"{PACKAGE}: {error}", file=sys.stderr)
        return 1
    finally:
        # The loop has given the signals back; from here on the process ends by itself.
        signals.ignore()
    return 0


async def _main(wire: Callable[[AsyncExitStack, Runtime], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals.STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    with Runtime(sys.argv) as runtime, farewell_deadline():
        async with AsyncExitStack() as stack:
            await wire(stack, runtime)
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


def _without_source_lines(error: Exception) -> str:
    """rcl's message on one line, less the places in its source code that it appends."""
    return re.sub(r", at \S+:\d+", "", " ".join(str(error).split()))


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


def share_directory() -> Path:
    """Where launch/ and config/ are: installed by ament or pip, else the source tree."""
    try:
        return Path(get_package_share_directory(PACKAGE))
    except (OSError, PackageNotFoundError):  # not installed, or no ament environment
        return Path(__file__).parents[3]

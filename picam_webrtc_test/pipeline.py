"""Real nodes in processes of their own, as the tests of ROS and of the browser use them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.entry import EXECUTABLES

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class NodeProcess:
    """A running executable of ours, its output kept line by line."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "RCUTILS_LOGGING_BUFFERED_STREAM": "0", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._grown:
                    self.lines.append(line.rstrip("\n"))
                    self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str, timeout_s: float = START_TIMEOUT_S, start: int = 0) -> re.Match[str]:
        """The first match of `pattern` in the lines from `start` on, waiting until there is one."""
        deadline = time.monotonic() + timeout_s
        with self._grown:
            while True:
                for line in self.lines[start:]:
                    if match := re.search(pattern, line):
                        return match
                remaining = deadline - time.monotonic()
                ended = self._process.poll() is not None and not self._reader.is_alive()
                if remaining <= 0 or ended:
                    raise AssertionError(f"no line matches {pattern!r} in:\n{self.output}")
                self._grown.wait(min(remaining, 0.5))

    def send(self, number: signal.Signals) -> None:
        """If the process runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGINT, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Signal the process if it runs, and return its exit code; killed after the timeout."""
        self.send(number)
        try:
            return self.wait(timeout_s)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self.wait(timeout_s)

    def wait(self, timeout_s: float = START_TIMEOUT_S) -> int:
        code = self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code


def ros_arguments(parameters: Mapping[str, ParameterValue], *more: str) -> list[str]:
    """Command-line arguments that set node parameters, typed so that YAML reads them back as they are."""
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={_yaml(value)}"]
    return [*arguments, *more]


def _yaml(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@contextmanager
def own_ros_domain() -> Iterator[None]:
    """Nobody else's nodes are seen, and nobody sees ours, unless a domain has been chosen already."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if "ROS_DOMAIN_ID" in os.environ:
        yield
        return
    from domain_coordinator import domain_id

    with domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        yield
        del os.environ["ROS_DOMAIN_ID"]


@contextmanager
def node_process(
    name: str,
    parameters: Mapping[str, ParameterValue] | None = None,
    *more: str,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] = {},
    prefix: Sequence[str] = (),
) -> Iterator[NodeProcess]:
    """An executable of ours, or a module of the tests, after `prefix`, with `arguments`, parameters and `more` ROS
    arguments; ended when the block ends.
    """
    program = [str(ROOT / "resource/executables" / name)] if name in EXECUTABLES else [sys.executable, "-m", name]
    command = [*prefix, *program, *arguments, *ros_arguments(parameters or {}, *more)]
    process = NodeProcess(command, {"PICAM_WEBRTC_PYTHON": sys.executable, **environment})
    try:
        yield process
    finally:
        process.stop()

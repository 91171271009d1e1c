"""How a capture process comes to be: started here, or by whoever listens at a socket. Each opening has its own."""

import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from picam_webrtc.camera.protocol import Deadline, Link
from picam_webrtc.camera_settings import CAPTURE_SOCKET
from picam_webrtc.errors import CameraError

SERVE = Path(__file__).with_name("serve.py")
KEPT_VARIABLES = ("HOME", "LANG", "TZ", "XDG_RUNTIME_DIR")
KEPT_PREFIXES = ("LC_", "LIBCAMERA_")
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
KILL_TIMEOUT_S = 1.0
"""How long the kernel may take to end a killed process; longer where a driver does not let go."""
DEATH_S = 0.2
"""Between the end of a process' connection and that of the process."""


class NoPicamera2(CameraError):
    """There is none in this place; in another one there may be."""


class Way(Protocol):
    """One way to a capture process. Its text names the process, for errors."""

    def start(self) -> "CaptureProcess":
        """A new one. Raises CameraError."""


class CaptureProcess:
    """A running capture process, and the connection to it. `process` is None where it is not ours."""

    def __init__(self, link: Link, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.link = link
        self._process = process

    @property
    def pid(self) -> int | None:
        """None where the process is not ours."""
        return None if self._process is None else self._process.pid

    def why_it_ended(self) -> str:
        """For a process whose connection has ended."""
        if self._process is None:
            return "the capture service has ended the connection; its journal tells why"
        try:
            code = self._process.wait(DEATH_S)
        except subprocess.TimeoutExpired:
            return "the capture process has closed the connection"
        if code < 0:
            return f"the capture process was ended by {_signal_name(-code)}"
        return f"the capture process ended with exit code {code}"

    def end(self, patience_s: float) -> None:
        """Close the connection, and make sure that the process is gone. Raises CameraError when it does not end."""
        self.link.close()
        if self._process is None:
            return
        due = Deadline(patience_s)
        try:
            self._process.wait(due.remaining_s())
        except subprocess.TimeoutExpired:
            self._kill(self._process)

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        try:
            process.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise CameraError(f"the capture process {process.pid} does not end: its driver hangs") from None


@dataclass(frozen=True, slots=True)
class Service:
    """Somebody listens at a socket and starts a capture process for each connection, as systemd does."""

    path: Path = CAPTURE_SOCKET

    def __str__(self) -> str:
        return f"the capture service at {self.path}"

    def start(self) -> CaptureProcess:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(str(self.path))
        except OSError as error:
            connection.close()
            raise NoPicamera2(f"no capture service answers at {self.path}: {error.strerror or error}") from error
        return CaptureProcess(Link(connection))


@dataclass(frozen=True, slots=True)
class Spawned:
    """Started here, by `command` and a descriptor's number."""

    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"the capture process under {self.command[0]}"

    def start(self) -> CaptureProcess:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                process = subprocess.Popen(
                    [*self.command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=clean_environment(),
                    cwd="/",
                    process_group=0,  # Ctrl-C is for this process, which then ends that one in order
                )
            except OSError as error:
                ours.close()
                raise NoPicamera2(f"{self.command[0]} does not start: {error.strerror}") from error
        return CaptureProcess(Link(ours), process)


def spawned(python: str) -> Spawned:
    """A capture process under that interpreter: isolated (-I) from this one's packages and the user's."""
    return Spawned((python, "-I", str(SERVE)))


def clean_environment() -> dict[str, str]:
    """Nothing that leads another Python or libcamera to this one's libraries: LD_LIBRARY_PATH, PYTHON*, CONDA_*, ..."""
    kept = {
        name: value for name, value in os.environ.items() if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    return {"PATH": PATH, **kept}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""What systemd does for deploy/picam-capture.socket: a process for each connection, which is its descriptor 3."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CLIENT = Path(__file__).with_name("capture_client.py")
FIRST_PASSED = 3
"""SD_LISTEN_FDS_START, sd_listen_fds(3)."""


class Listener:
    """Listens at `path` until closed; then ends what it started."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self._command = command
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                self.processes.append(self._started(connection.fileno()))

    def _started(self, descriptor: int) -> "subprocess.Popen[bytes]":
        # A shell gives it the number that systemd does.
        script = f'exec "$@" {FIRST_PASSED} {FIRST_PASSED}<&{descriptor} {descriptor}<&-'
        if descriptor == FIRST_PASSED:
            script = f'exec "$@" {FIRST_PASSED}'
        return subprocess.Popen(
            ["bash", "-c", script, "bash", *self._command], pass_fds=[descriptor], stdin=subprocess.DEVNULL
        )

    @property
    def alive(self) -> list[int]:
        return [process.pid for process in self.processes if process.poll() is None]

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def listening(path: Path, command: Sequence[str]) -> Iterator[Listener]:
    listener = Listener(path, command)
    try:
        yield listener
    finally:
        listener.close()
        path.unlink()


def fake_command(fault_file: Path, models: str = "imx708,imx219") -> list[str]:
    """A capture process with a stand-in for Picamera2."""
    return [sys.executable, "-I", os.fspath(Path(__file__).with_name("serve_fake.py")), models, os.fspath(fault_file)]


IN_A_CONTAINER = """
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && mkdir /run/picam_webrtc &&
mount --bind "$1" /run/picam_webrtc && mount -t tmpfs tmpfs "$1" && shift && exec "$@"
"""


def container(folder: Path) -> list[str]:
    """A command's beginning that gives it what docker does: namespaces of its own, and of the host's /run and shared
    memory only `folder`, as /run/picam_webrtc. Needs root.
    """
    namespaces = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--mount-proc"]
    return [*namespaces, "sh", "-c", IN_A_CONTAINER, "sh", str(folder)]

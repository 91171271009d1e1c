"""Sources whose capture process a test watches and disturbs."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.capture_process import CaptureProcess, Spawned
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame
from picam_webrtc_test.camera.capture_listener import fake_command
from picam_webrtc_test.camera.fakes import TIMEOUT_S


class WatchedWay:
    """The way to the fake capture process, which remembers the processes that took it."""

    def __init__(self, fault_file: Path, models: str = "imx708,imx219") -> None:
        self.fault_file = fault_file
        self.processes: list[CaptureProcess] = []
        self._way = Spawned(tuple(fake_command(fault_file, models)))

    def __str__(self) -> str:
        return "the capture process"

    def start(self) -> CaptureProcess:
        self.processes.append(self._way.start())
        return self.processes[-1]

    @property
    def pids(self) -> list[int]:
        return [one.pid for one in self.processes if one.pid is not None]

    @property
    def alive(self) -> list[int]:
        """Children of this process only: a number may be somebody else's by now."""
        return [pid for pid in self.pids if is_child(pid)]


def is_child(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return f"\nPPid:\t{os.getpid()}\n" in status


def next_frame_set(source: RemoteSource) -> FrameSet:
    frame_set = source.read(TIMEOUT_S)
    assert frame_set is not None
    return frame_set


def fault_of(source: RemoteSource) -> str:
    """What `read` raises in the end."""
    try:
        while True:
            next_frame_set(source)
    except CameraError as error:
        return str(error)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.005)


class Recovery:
    """A capture that somebody disturbs: how long no frame comes then."""

    def __init__(self, source: RemoteSource, watchdog_timeout_s: float = 2.0) -> None:
        self.frame_sets: list[tuple[float, Frame]] = []
        self.capture = Capture(source, self._take, watchdog_timeout_s=watchdog_timeout_s)

    def _take(self, frame: Frame) -> None:
        self.frame_sets = [*self.frame_sets[-5:], (time.monotonic(), frame)]

    def wait_for_frames(self) -> None:
        begin_s = time.monotonic()
        wait_until(lambda: bool(self.frame_sets) and self.frame_sets[-1][0] > begin_s, "frames", 20.0)

    def seconds_until_back(self, disturb: Callable[[], None]) -> float:
        self.wait_for_frames()
        faults = self.capture.status().faults
        disturb()
        begin_s = time.monotonic()
        wait_until(lambda: self.capture.status().faults > faults, "the fault to be noticed", 20.0)
        self.wait_for_frames()
        return self.frame_sets[-1][0] - begin_s

"""The reader outside of bench.capture: `python -m bench.capture_reader FRAMES COMMAND...`.

COMMAND starts a capture process. This is a process of its own, so that its CPU time is that of a reader.
"""

import json
import sys

from bench.process_figures import cpu_s
from picam_webrtc.camera.capture_process import CaptureProcess, Spawned
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc_test.picamera2.reader import SETTINGS, read_frames


class KnownWay:
    """The way to a capture process, the last of which is known."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._way = Spawned(command)
        self._process: CaptureProcess | None = None

    def start(self) -> CaptureProcess:
        self._process = self._way.start()
        return self._process

    def cpu_s(self) -> float:
        return cpu_s(self._process.pid) if self._process is not None and self._process.pid is not None else 0.0


def main(frames: int, command: tuple[str, ...]) -> None:
    way = KnownWay(command)
    print(json.dumps(read_frames(RemoteSource(SETTINGS, way), frames, way.cpu_s)))


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[2:]))

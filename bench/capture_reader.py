"""One reader of a camera for bench.capture: `capture_reader.py own|served FRAMES [COMMAND...]`, under whichever Python.

`own` has the real Picamera2 on a virtual camera in this process, `served` in a capture process that COMMAND starts.
Reads warm-up frames and FRAMES more; then prints one JSON object: stamps and ages on arrival [ns], and the CPU time
that this process and the capture process took for them [s].
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.process_figures import cpu_s
from picam_webrtc.camera.capture_process import CaptureProcess, Spawned
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc.settings import CameraSettings

WARM_UP_FRAMES = 45
READ_S = 0.1
"""As camera/capture.py reads."""
SETTINGS = CameraSettings(source="picamera2", width=1280, height=720, format="nv12")


class KnownWay:
    """The way to a capture process whose number is known."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._way = Spawned(command)
        self.process: CaptureProcess | None = None

    def start(self) -> CaptureProcess:
        self.process = self._way.start()
        return self.process

    def served_s(self) -> float:
        return cpu_s(self.process.pid) if self.process is not None and self.process.pid is not None else 0.0


def main(place: str, frames: int, command: tuple[str, ...]) -> None:
    way = KnownWay(command)
    source: Picamera2Source | RemoteSource
    if place == "served":
        source = RemoteSource(SETTINGS, way)
    else:
        from test.picamera2.virtual_camera import virtual_library

        source = Picamera2Source(SETTINGS, virtual_library())
    source.open()
    stamps, ages_ns, begin_s, served_s = list[int](), list[int](), 0.0, 0.0
    while len(stamps) < WARM_UP_FRAMES + frames:
        if len(stamps) == WARM_UP_FRAMES:
            begin_s, served_s = time.process_time(), way.served_s()
        shot = source.read(READ_S)
        if shot is not None:
            ages_ns.append(time.time_ns() - shot.frame.stamp_ns)
            stamps.append(shot.frame.stamp_ns)
    spent = {"reader_s": time.process_time() - begin_s, "served_s": way.served_s() - served_s}
    source.close()
    print(json.dumps({"stamps": stamps[WARM_UP_FRAMES:], "ages_ns": ages_ns[WARM_UP_FRAMES:], **spent}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), tuple(sys.argv[3:]))

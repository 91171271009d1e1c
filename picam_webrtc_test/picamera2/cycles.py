"""Runs inside the tree: opens, starts, reads and closes the camera again and again; prints what is left as JSON."""

import gc
import json
import os
import sys
import threading

from picam_webrtc.camera.source import make_source
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.picamera2.virtual_camera import virtual_library

WARM_UP_CYCLES = 3


def main(cycles: int) -> None:
    source = make_source(CameraSettings(source="picamera2", width=640, height=480), virtual_library())
    frames, before = 0, (0, 0)
    for cycle in range(WARM_UP_CYCLES + cycles):
        if cycle == WARM_UP_CYCLES:
            gc.collect()
            before = _open_files(), _resident_kib()
            frames = 0
        source.open()
        frame_set = source.read(timeout_s=5)
        frames += frame_set is not None
        source.close()
    gc.collect()
    after = _open_files(), _resident_kib()
    print(
        json.dumps(
            {
                "cycles": cycles,
                "frames": frames,
                "open_files_before": before[0],
                "open_files_after": after[0],
                "resident_kib_grown": after[1] - before[1],
                "threads": sorted(thread.name for thread in threading.enumerate()),
            }
        )
    )


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _resident_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))

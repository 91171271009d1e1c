"""Reads a camera and measures it: stamps and ages on arrival [ns], and CPU time [s]. Inside the tree: its own camera's.

`reader.py FRAMES` has the real Picamera2 in its process and prints what it measured as one JSON object.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc.settings import CameraSettings

WARM_UP_FRAMES = 45
READ_S = 0.1
"""As camera/capture.py reads."""
SETTINGS = CameraSettings(source="picamera2", width=1280, height=720, format="nv12")


def read_frames(
    source: Picamera2Source | RemoteSource, frames: int, other_cpu_s: Callable[[], float] = lambda: 0.0
) -> dict[str, Any]:
    """Warm-up frames and `frames` more; `other_cpu_s` is the CPU time of a process beside this one."""
    source.open()
    stamps, ages_ns, begin_s, other_s = list[int](), list[int](), 0.0, 0.0
    while len(stamps) < WARM_UP_FRAMES + frames:
        if len(stamps) == WARM_UP_FRAMES:
            begin_s, other_s = time.process_time(), other_cpu_s()
        frame_set = source.read(READ_S)
        if frame_set is not None:
            ages_ns.append(time.time_ns() - frame_set.frame.stamp_ns)
            stamps.append(frame_set.frame.stamp_ns)
    spent = {"reader_s": time.process_time() - begin_s, "other_s": other_cpu_s() - other_s}
    source.close()
    return {"stamps": stamps[WARM_UP_FRAMES:], "ages_ns": ages_ns[WARM_UP_FRAMES:], **spent}


if __name__ == "__main__":
    from picam_webrtc_test.picamera2.virtual_camera import virtual_library

    print(json.dumps(read_frames(Picamera2Source(SETTINGS, virtual_library()), int(sys.argv[1]))))

"""A process that takes frames of a capture service: `capture_client.py SOCKET FRAMES`, "" for the socket's usual place.

Prints a line with the first frame, and at its end one JSON object.
"""

import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from picam_webrtc.camera.source import make_source
from picam_webrtc.settings import CameraSettings

TIMEOUT_S = 10.0


def main(path: str, frames: int) -> int:
    source = make_source(CameraSettings(source="picamera2", width=640, height=480, camera_socket=path))
    source.open()
    stamps, read_ns = list[int](), list[int]()
    while len(stamps) < frames:
        frame_set = source.read(TIMEOUT_S)
        assert frame_set is not None
        stamps.append(frame_set.frame.stamp_ns)
        read_ns.append(time.time_ns())
        if len(stamps) == 1:
            print("first frame", flush=True)
    source.close()
    report = {"source": type(source).__name__, "pids": [os.getpid(), peer_of(path)]}
    print(json.dumps({**report, "stamps": stamps, "read_ns": read_ns}))
    return 0


def peer_of(path: str) -> int:
    """The process that listens, by its number here (unix(7), SO_PEERCRED)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path or "/run/picam_webrtc/capture.sock")
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2])))

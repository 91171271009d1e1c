"""Runs inside the tree: the capture process as it is, on a virtual camera: `python3 -I serve.py DESCRIPTOR`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from picam_webrtc.camera import picamera2_library, serve
from picam_webrtc_test.picamera2.virtual_camera import virtual_library

if __name__ == "__main__":
    vars(picamera2_library)["installed_library"] = virtual_library
    raise SystemExit(serve.main(sys.argv[1:]))

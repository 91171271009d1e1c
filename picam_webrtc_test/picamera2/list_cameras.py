"""Runs inside the tree: list_cameras as it is, on the virtual cameras."""

from picam_webrtc.camera.list_cameras import listing
from picam_webrtc_test.picamera2.virtual_camera import virtual_library

if __name__ == "__main__":
    for line in listing(virtual_library()):
        print(line)

"""Runs inside the tree: camera_node as it is, on a virtual camera."""

# ruff: noqa: E402 - the allocator of an executable (entry.py) has to be ahead of rclpy
from picam_webrtc.ros.process.memory import keep_image_buffers

keep_image_buffers()

from picam_webrtc.ros.camera_node import main
from picam_webrtc_test.picamera2.virtual_camera import virtual_library

if __name__ == "__main__":
    raise SystemExit(main(virtual_library()))

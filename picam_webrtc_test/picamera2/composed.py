"""Runs inside the tree: the whole pipeline in one process as it is, on a virtual camera."""

# ruff: noqa: E402 - the allocator of an executable (entry.py) has to be ahead of rclpy
from picam_webrtc.ros.process.memory import keep_image_buffers

keep_image_buffers()

from picam_webrtc.camera import reach
from picam_webrtc.ros.composed import main
from picam_webrtc_test.picamera2.virtual_camera import virtual_library

if __name__ == "__main__":
    vars(reach)["installed_library"] = virtual_library
    raise SystemExit(main())

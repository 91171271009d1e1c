"""The real Picamera2 on libcamera's virtual camera, in a Debian tree of its own."""

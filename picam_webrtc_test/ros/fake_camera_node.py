"""camera_node as it is, on a stand-in for Picamera2 with a Camera Module 3."""

from picam_webrtc.ros.camera_node import main
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary

if __name__ == "__main__":
    raise SystemExit(main(FakeLibrary("imx708")))

"""Camera frames through ROS 2, a TFLite model and WebRTC."""

__version__ = "0.1.0"

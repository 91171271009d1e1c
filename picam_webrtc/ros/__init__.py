"""The rim: rclpy nodes, parameters, image topics."""

from picam_webrtc.ros.process.memory import keep_image_buffers

# Here, since it has to be ahead of rclpy: loading that starts threads, each of which takes an arena of its own.
keep_image_buffers()

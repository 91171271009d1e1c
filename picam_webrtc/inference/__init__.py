"""TFLite models: from a frame to detections and an overlay, no ROS."""

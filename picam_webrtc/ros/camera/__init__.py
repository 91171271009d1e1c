"""What camera_node alone has: its topics, its calibration, its controls as parameters."""

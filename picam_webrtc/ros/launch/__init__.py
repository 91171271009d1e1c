"""What launch arguments mean, in the words of launch_ros but without importing it."""

"""Frame sources: one Protocol, one thread that reads it, no ROS."""

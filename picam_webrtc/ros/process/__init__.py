"""A process with ROS nodes in it: its start and end, memory, logs and clocks."""

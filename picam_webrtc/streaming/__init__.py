"""Encode once, send to every viewer: no ROS, no HTTP."""

"""Where ROS writes its logs: a process that has no such folder does not get through rclpy.init.

By the rules of rcl_logging_interface (`rcl_logging_get_logging_directory`), the same in Jazzy, Kilted and Lyrical.
"""

import os
from collections.abc import Mapping
from pathlib import Path

REMEDY = "set HOME, or set ROS_LOG_DIR to a folder in which this user may write"


def log_directory(environment: Mapping[str, str]) -> Path | None:
    """The folder, which need not be there yet; None where it is below a home and there is none."""
    home = environment.get("HOME", "")
    ros_home = environment.get("ROS_HOME") or "~/.ros"
    named = environment.get("ROS_LOG_DIR") or f"{ros_home}/log"
    if not named.startswith("~"):
        return Path(named)
    return Path(home + named[1:]) if home else None


def fault(environment: Mapping[str, str]) -> str:
    """Why ROS cannot write its logs, as far as can be told without writing; "" where nothing speaks against it."""
    folder = log_directory(environment)
    if folder is None:
        return "ROS has no folder for its logs: HOME is not set"
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"ROS cannot write its logs to {folder}: {there} is {'not writable' if there.is_dir() else 'no folder'}"

"""A node that cannot write ROS's logs does not start; whoever started it is told what to set."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from picam_webrtc.ros.process.log_directory import fault, log_directory
from picam_webrtc_test.pipeline import node_process

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/pi"}, "/home/pi/.ros/log"),
        ({"HOME": "/home/pi", "ROS_HOME": "/data/ros"}, "/data/ros/log"),
        ({"HOME": "/home/pi", "ROS_HOME": "/data/ros", "ROS_LOG_DIR": "~/logs"}, "/home/pi/logs"),
        ({"ROS_LOG_DIR": "/var/log/robot"}, "/var/log/robot"),
        ({"HOME": "", "ROS_LOG_DIR": ""}, None),
    ],
)
def test_the_folder_is_that_of_rcl_logging(environment: Mapping[str, str], folder: str | None) -> None:
    """As the comment on rcl_logging_get_logging_directory in rcl_logging_interface.h says."""
    assert log_directory(environment) == (folder and Path(folder))


def test_a_folder_that_will_be_made_is_fine(tmp_path: Path) -> None:
    assert fault({"ROS_LOG_DIR": f"{tmp_path}/not/yet"}) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert fault({"ROS_LOG_DIR": f"{tmp_path}/file/log"}).endswith(f"{tmp_path}/file is no folder")

    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # root may all
    assert fault({"ROS_LOG_DIR": f"{tmp_path}/log"}).endswith(f"{tmp_path} is not writable")


@pytest.mark.parametrize(
    ("log_dir", "said"),
    [
        ("", "ROS has no folder for its logs: HOME is not set"),
        ("/proc/none", "ROS cannot write its logs"),
    ],
)
def test_a_node_says_what_to_set(log_dir: str, said: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "ROS_HOME"}}

    ended = subprocess.run(
        [sys.executable, "-m", "picam_webrtc", "camera_node"], cwd=ROOT,
        env={**environment, "ROS_LOG_DIR": log_dir, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"picam_webrtc: {said}")
    assert line.endswith("; set HOME, or set ROS_LOG_DIR to a folder in which this user may write")
    assert ended.returncode == 1


def test_a_node_that_writes_no_logs_needs_no_folder() -> None:
    without = {"HOME": "", "ROS_HOME": "", "ROS_LOG_DIR": ""}

    with node_process(
        "inference_node", {"transform": "none"}, "--disable-external-lib-logs", environment=without
    ) as node:
        node.wait_for_line("Ready")

"""The launch file under launch_testing: both shapes publish pictures, name the page and end with code 0.

Run with `launch_test` on a machine that has launch_ros; test_launch.py does so where it can.
"""

import time
import unittest
from pathlib import Path
from typing import Any

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import rclpy
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from sensor_msgs.msg import Image

from launch import LaunchDescription

LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "picam_webrtc.launch.py"
PICTURES = 30
PATIENCE_S = 30.0


@launch_testing.parametrize("composed", ["true", "false"])
def generate_test_description(composed: str) -> LaunchDescription:
    arguments = {"composed": composed, "source": "test_pattern", "transform": "none", "port": "0"}
    pipeline = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
    )
    return LaunchDescription([pipeline, launch_testing.actions.ReadyToTest()])


class WhileItRuns(unittest.TestCase):
    def test_the_page_has_an_address(self, proc_output: Any) -> None:
        proc_output.assertWaitFor("The page is at http://127.0.0.1:", timeout=PATIENCE_S, stream="stdout")

    def test_pictures_come(self) -> None:
        rclpy.init()
        node = rclpy.create_node("onlooker")
        pictures = list[Image]()
        node.create_subscription(Image, "image_processed", pictures.append, 10)
        end = time.monotonic() + PATIENCE_S
        while len(pictures) < PICTURES and time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.5)
        rclpy.shutdown()
        assert len(pictures) >= PICTURES


@launch_testing.post_shutdown_test()
class AfterItHasEnded(unittest.TestCase):
    def test_every_process_ended_with_code_0(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)

"""A robot whose camera is not there: a warning, no picture to be taken for the world, the camera when it comes."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image

from picam_webrtc.ros import camera_node
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary
from picam_webrtc_test.ros.robot import SIZE, Robot, status_where
from picam_webrtc_test.ros.support import running_loop, wait_until


@pytest.fixture(autouse=True)
def ros_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_HOME", str(tmp_path))


def test_a_robot_without_its_camera_warns_shows_the_test_pattern_and_takes_the_camera_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("picam_webrtc.camera.automatic.LOOK_INTERVAL_S", 0.2)
    library = FakeLibrary()
    with Runtime(["test", "--ros-args", "-p", "Contrast:=2.0", *SIZE]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        run(camera_node.wire(stack, runtime, LocalTopics(), library))
        runtime.spin()
        one = Robot(runtime, library.device)
        reports = one.listen(DiagnosticArray, "/diagnostics")
        idle = status_where(one, reports, lambda status: status.level == DiagnosticStatus.WARN)
        images = one.listen(Image, "image_raw")
        wait_until(lambda: bool(images), "the test pattern")
        shown = status_where(one, reports, lambda status: "Events in window" in [v.key for v in status.values])
        library.models.append("imx708")
        wait_until(lambda: one._frame() and images[-1].header.frame_id == "camera_optical_frame", "the camera")
        count = len(reports)
        status_where(one, reports, lambda _: len(reports) > count + 1)
        assert "no camera" not in reports[-1].status[0].message
        wait_until(lambda: one._frame() and one.device.ipa.state.other.get("Contrast") == 2.0, "what was given")
        runtime.stop_spinning()
        run(stack.aclose())

    assert images[0].header.frame_id == "test_pattern"
    for status in (idle, shown):
        assert status.message.startswith("no camera, the test pattern is shown: Picamera2 sees no camera")


def test_a_robot_that_is_to_show_no_test_pattern_shows_nothing_and_warns() -> None:
    library = FakeLibrary()
    with Runtime(["test", "--ros-args", "-p", "test_pattern:=never", *SIZE]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        run(camera_node.wire(stack, runtime, LocalTopics(), library))
        runtime.spin()
        one = Robot(runtime, library.device)
        reports = one.listen(DiagnosticArray, "/diagnostics")
        images = one.listen(Image, "image_raw")
        wait_until(lambda: len(reports) > 2, "reports")
        library.models.append("imx708")
        one.next(images)
        runtime.stop_spinning()
        run(stack.aclose())

    assert all(image.header.frame_id == "camera_optical_frame" for image in images)
    assert reports[2].status[0].level == DiagnosticStatus.WARN
    assert reports[2].status[0].message.startswith("no camera, nothing is shown: Picamera2 sees no camera")

"""Where a camera is expected and none is there: it is looked for, and what is shown meanwhile is no camera's."""

from collections.abc import Callable

import pytest

from picam_webrtc.camera.automatic import LOOK_INTERVAL_S, AutomaticSource
from picam_webrtc.camera.control_set import ControlSet
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary
from picam_webrtc_test.camera.fakes import FakeClock

SETTINGS = CameraSettings(width=64, height=64, frame_id="test_pattern")


class Robot:
    """One whose camera comes when the test plugs it in."""

    def __init__(self, pattern: bool = True) -> None:
        self.clock = FakeClock()
        self.library = FakeLibrary()
        self.looked = 0
        shown = TestPatternSource(SETTINGS, self.clock) if pattern else None
        self.source = AutomaticSource(self.find, shown, "Picamera2 sees no camera", self.clock)

    def find(self) -> Picamera2Source:
        self.looked += 1
        return Picamera2Source(CameraSettings(width=64, height=64), self.library, self.clock)

    def plug_in(self) -> None:
        self.library.models.append("imx708")

    def frame_ids(self, seconds: float) -> list[str]:
        end_ns = self.clock.now_ns + int(seconds * 1e9)
        found = []
        while self.clock.now_ns < end_ns:
            if self.library.device.jobs and not self.library.device.jobs[-1].future.done():
                self.clock.sleep_ns(10**9 // 30)
                self.library.device.complete()
            frame_set = self.source.read(0.1)
            assert frame_set is not None
            found.append(frame_set.frame.frame_id)
        return found


def test_the_camera_is_looked_for_while_the_test_pattern_is_shown_and_taken_when_it_comes() -> None:
    robot = Robot()
    robot.source.open()
    before = robot.frame_ids(3 * LOOK_INTERVAL_S)
    assert set(before) == {"test_pattern"}
    assert len(before) == pytest.approx(30 * 3 * LOOK_INTERVAL_S, abs=2)
    assert robot.looked == pytest.approx(4, abs=1)
    assert robot.source.notice == (
        "no camera, the test pattern is shown: Picamera2 sees no camera: check the cable and "
        "`rpicam-hello --list-cameras`"
    )
    robot.plug_in()
    while not robot.library.device.jobs:  # the read in which the camera is opened has no frame yet
        robot.source.read(0.01)
        robot.clock.sleep_ns(10**8)

    assert robot.source.notice == ""
    assert "imx708" in str(robot.source)
    assert set(robot.frame_ids(1)) == {"camera_optical_frame"}


def test_a_look_that_takes_long_is_taken_less_often() -> None:
    robot = Robot()
    look_ns, rests_ns = 2 * 10**9, list[int]()

    def find() -> Picamera2Source:
        rests_ns.append(robot.clock.now_ns)
        robot.clock.sleep_ns(look_ns)
        return robot.find()

    source = AutomaticSource(find, TestPatternSource(SETTINGS, robot.clock), "", robot.clock)
    source.open()
    while len(rests_ns) < 2:
        source.read(0.1)

    assert (rests_ns[1] - rests_ns[0] - look_ns) / 1e9 == pytest.approx(20, abs=0.1)


def test_a_camera_that_has_come_is_opened_next_time_and_nothing_else() -> None:
    robot = Robot()
    robot.source.open()
    robot.source.close()
    robot.plug_in()
    robot.source.open()
    robot.source.close()
    robot.source.open()

    assert robot.library.device.calls.count("start") == 2
    assert robot.source.frame_rate == pytest.approx(30, abs=0.01)


def test_without_a_test_pattern_there_is_nothing_until_it_comes() -> None:
    robot = Robot(pattern=False)
    for _ in range(2):
        with pytest.raises(CameraError, match="sees no camera"):
            robot.source.open()
    assert robot.source.notice.startswith("no camera, nothing is shown: Picamera2 sees no camera")
    assert (robot.source.frame_rate, str(robot.source)) == (None, "no camera")
    with pytest.raises(CameraError, match="sees no camera"):
        robot.source.read(0.1)
    robot.plug_in()
    robot.source.open()

    assert robot.source.notice == ""


def test_its_controls_become_known_when_it_opens() -> None:
    robot, learnt = Robot(), list[ControlSet]()
    with pytest.raises(CameraError, match="sees no camera"):
        robot.source.probe()
    robot.source.on_controls = learnt.append
    robot.plug_in()
    robot.source.open()
    robot.source.apply(learnt[0].plan({"Contrast": 2.0}))
    robot.source.close()
    robot.source.open()

    assert len(learnt) == 1
    assert robot.library.device.ipa.state.other["Contrast"] == 2.0


def test_a_camera_that_is_not_the_wanted_one_is_as_good_as_none() -> None:
    def find() -> Picamera2Source:
        raise SettingError("camera", "ov5647", "no such camera")

    source = AutomaticSource(find, TestPatternSource(SETTINGS, FakeClock()), "")
    source.open()

    assert "no such camera" in source.notice
    assert source.read(1) is not None


def test_what_cannot_be_applied_is_let_be() -> None:
    nobody: Callable[[], Picamera2Source] = Robot().find
    source = AutomaticSource(nobody, None, "none")

    source.apply(ControlSet(()).plan({}))

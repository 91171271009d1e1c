"""No frames for a while: what it means, and that frames which come rarely are not called silent."""

import pytest

from picam_webrtc.settings import InferenceSettings, WebRtcSettings
from picam_webrtc.silence import Pace, silence_level
from picam_webrtc.verdict import Level
from picam_webrtc_test.streaming.fakes import FakeTime

LIMITS = WebRtcSettings(silence_warning=2.0, silence_error=10.0)


@pytest.mark.parametrize(
    ("silent_s", "usual_gap_s", "level"),
    [
        (1.9, 0.0, Level.OK),
        (2.0, 0.0, Level.WARN),
        (9.9, 0.033, Level.WARN),
        (10.0, 0.033, Level.ERROR),
        (14.9, 5.0, Level.OK),
        (15.0, 5.0, Level.WARN),
        (74.9, 5.0, Level.WARN),
        (75.0, 5.0, Level.ERROR),
    ],
)
def test_the_limits_hold_and_stretch_for_frames_that_come_rarely(
    silent_s: float, usual_gap_s: float, level: Level
) -> None:
    assert silence_level(LIMITS, silent_s, usual_gap_s) == level


def test_a_pace_is_known_from_the_second_frame_on_and_one_stall_does_not_change_it() -> None:
    now = FakeTime()
    pace = Pace(now)
    now.pass_s(3.0)
    assert (pace.silent_s, pace.usual_gap_s) == (3.0, 0.0)

    pace.count()
    assert (pace.silent_s, pace.usual_gap_s) == (0.0, 0.0)
    for gap_s in (5.0, 5.0, 60.0, 5.0):
        now.pass_s(gap_s)
        pace.count()
    now.pass_s(1.5)

    assert pace.silent_s == 1.5
    assert pace.usual_gap_s == 5.0


def test_frames_that_are_asked_for_anew_have_no_pace_yet() -> None:
    now = FakeTime()
    pace = Pace(now)
    for _ in range(3):
        now.pass_s(5.0)
        pace.count()

    pace.restart()
    now.pass_s(1.0)

    assert (pace.silent_s, pace.usual_gap_s) == (1.0, 0.0)


def test_every_node_that_gets_frames_from_another_has_the_same_limits() -> None:
    inference, webrtc = (
        {one.name: one for one in settings.declarations() if one.name.startswith("silence_")}
        for settings in (InferenceSettings, WebRtcSettings)
    )

    assert inference == webrtc
    assert {*inference} == {"silence_warning", "silence_error"}

"""What webrtc_node says on /diagnostics of what comes and goes over the network."""

import pytest

from picam_webrtc.ros.streams.network_report import WINDOW_S, EventRate, Feed, judge_feed, network_report
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.publish.publisher import PublishSnapshot, PublishState
from picam_webrtc_test.streaming.fakes import FakeTime


def feed(
    topic: str = "/image_raw",
    *,
    watched: bool = True,
    publishers: int = 1,
    rate: float = 30.0,
    silent_s: float = 0.03,
    late_s: float = 0.04,
    companion_rate: float = 30.0,
    usual_gap_s: float = 0.03,
    comparable: bool = True,
) -> Feed:
    companion = "camera_info"
    return Feed(
        *("raw", topic, watched, publishers, rate, silent_s, late_s, companion, companion_rate, usual_gap_s, comparable)
    )


LIMITS = WebRtcSettings()


def test_pictures_that_come_are_well() -> None:
    report = network_report(LIMITS, [feed()], ())

    assert (report.level, report.message) == (0, "everything gets through")
    assert report.values["raw: pictures (Hz)"] == "30.00"


def test_raw_pictures_that_do_not_get_through_are_said_with_the_advice() -> None:
    level, message = judge_feed(LIMITS, feed(rate=0.4, companion_rate=29.8))

    assert level == 1
    assert "/image_raw comes at 0.4 Hz, while camera_info comes at 29.8 Hz" in message
    assert "show /image_raw/compressed or /image_raw/h264" in message


@pytest.mark.parametrize(
    ("one", "level", "part"),
    [
        (feed(rate=20.0), 0, "comes"),
        (feed(watched=False, rate=0.0, silent_s=99.0), 0, "idle"),
        (feed(publishers=0, rate=0.0, companion_rate=0.0), 1, "nobody publishes /image_raw"),
        (feed(rate=0.0, companion_rate=0.0, silent_s=7.2), 1, "nothing has come for 7 s"),
        (feed(rate=0.0, companion_rate=0.0, silent_s=1.0), 0, "comes"),
        (feed(rate=0.5, companion_rate=0.6, late_s=2.2, usual_gap_s=2.0), 1, "comes at 0.5 Hz and 2.2 s late"),
        # A map that is made every five seconds, in two.
        (feed("/map/image", rate=0.2, companion_rate=0.0, silent_s=4.9, late_s=2.0, usual_gap_s=5.0), 0, "comes"),
        (feed("/map/image", rate=0.0, companion_rate=0.0, silent_s=16.0, late_s=2.0, usual_gap_s=5.0), 1, "for 16 s"),
        (feed("/map/image", rate=0.9, companion_rate=0.0, late_s=2.0, usual_gap_s=0.0), 0, "comes"),
        (feed(rate=2.0, companion_rate=2.0, late_s=0.1), 0, "comes"),
        (feed(rate=2.0, companion_rate=2.0, late_s=1e6), 0, "comes"),
        (feed("/image_raw/h264", rate=3.0), 1, "too slow or too lossy for it"),
        (feed("/image_raw/h264", rate=0.0, companion_rate=1.0, comparable=False), 0, "comes"),
    ],
)
def test_what_is_watched_should_come(one: Feed, level: int, part: str) -> None:
    assert judge_feed(LIMITS, one)[0] == level
    assert part in judge_feed(LIMITS, one)[1]


def test_how_long_is_silent_is_the_parameters_to_say() -> None:
    quiet = feed(rate=0.0, companion_rate=0.0, silent_s=4.0)

    assert judge_feed(WebRtcSettings(silence_warning=5.0), quiet)[0] == 0
    assert judge_feed(WebRtcSettings(silence_warning=3.0), quiet)[0] == 1


def test_a_media_server_that_is_away_is_a_warning_beside_the_others() -> None:
    lost = PublishSnapshot("raw", "https://live.example.net", PublishState.LOST, 1, 3, "cannot be reached", None)

    report = network_report(LIMITS, [feed(), feed(rate=0.1)], [lost])

    assert report.level == 1
    assert "too slow for raw pictures" in report.message
    assert "raw is not published: cannot be reached" in report.message
    assert report.values["raw at https://live.example.net"] == "not connected; cannot be reached"


def test_a_publisher_that_will_not_try_again_is_an_error() -> None:
    ended = PublishSnapshot("raw", "https://live.example.net", PublishState.ENDED, 1, 0, "KeyError('a')", None)

    report = network_report(LIMITS, [feed()], [ended])

    assert (report.level, report.message) == (2, "raw is published no more, by a defect of ours: KeyError('a')")


def test_a_rate_is_that_of_the_last_seconds() -> None:
    now = FakeTime()
    rate = EventRate(now)
    for _ in range(300):
        now.pass_s(1 / 30)
        rate.count()
    assert rate.per_s == pytest.approx(30, rel=0.05)

    now.pass_s(WINDOW_S)
    assert rate.per_s == 0
    assert rate.settled

    rate.restart()
    rate.count()
    assert rate.per_s == 1
    assert not rate.settled

"""Media time goes up, whatever the stamps do; a limit on the rate costs nothing below it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.streaming.encode.clock import FramePacer, MediaClock

SECOND_NS = 1_000_000_000


def test_media_time_follows_the_stamps() -> None:
    clock = MediaClock()

    assert [clock.timestamp(stamp) for stamp in (5 * SECOND_NS, 5 * SECOND_NS + SECOND_NS // 2)] == [0, 45_000]


@pytest.mark.parametrize("leap_ns", [-3600 * SECOND_NS, 0, 3600 * SECOND_NS])
def test_a_clock_that_leaps_looks_like_an_ordinary_step(leap_ns: int) -> None:
    clock = MediaClock()
    clock.timestamp(10_000 * SECOND_NS)
    after_leap = clock.timestamp(10_000 * SECOND_NS + leap_ns)
    later = clock.timestamp(10_000 * SECOND_NS + leap_ns + SECOND_NS)

    assert after_leap == 3000
    assert later - after_leap == pytest.approx(90_000, abs=1)


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=50))
def test_media_time_only_goes_up(stamps: list[int]) -> None:
    clock = MediaClock()
    times = [clock.timestamp(stamp) for stamp in stamps]

    assert all(earlier < later for earlier, later in pairwise(times))


def admitted(pacer: FramePacer, frame_rate: float, seconds: int = 10) -> int:
    return sum(pacer.admits(round(number * 90_000 / frame_rate)) for number in range(round(frame_rate * seconds)))


@pytest.mark.parametrize("frame_rate", [5, 15, 29.97, 30, 30.3])
def test_a_source_at_or_below_the_limit_loses_no_frame(frame_rate: float) -> None:
    assert admitted(FramePacer(30), frame_rate) == round(frame_rate * 10)


@pytest.mark.parametrize(("source", "limit"), [(30, 15), (60, 30), (30, 20), (100, 30)])
def test_a_faster_source_is_thinned_to_the_limit(source: float, limit: float) -> None:
    assert admitted(FramePacer(limit), source) == pytest.approx(limit * 10, rel=0.05)


def test_jitter_does_not_cost_frames() -> None:
    pacer = FramePacer(30)
    jittered = [round(number * 3000 + (600 if number % 2 else -600)) for number in range(1, 301)]

    assert sum(map(pacer.admits, jittered)) == 300


def test_a_pause_is_no_credit() -> None:
    pacer = FramePacer(10)
    pacer.admits(0)

    assert [pacer.admits(time) for time in (900_000, 903_000, 906_000, 909_000)] == [True, False, True, False]

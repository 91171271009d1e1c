"""The figures of diagnostics: rates, delays and losses over the last seconds, and what is made of them."""

import pytest

from picam_webrtc.camera.capture import CaptureState, CaptureStatus
from picam_webrtc.camera.figures import FrameFigures, judge
from picam_webrtc.verdict import Level, Verdict

MS = 1_000_000
START = 1_000_000 * MS


def recorded(frame_times_ms: list[float], delay_ms: float = 4, target: float | None = 30.0) -> FrameFigures:
    figures = FrameFigures(lambda: target)
    for time_ms in frame_times_ms:
        stamp_ns = START + int(time_ms * MS)
        figures.record(stamp_ns, stamp_ns + int(delay_ms * MS))
    return figures


def at_30_fps(count: int) -> list[float]:
    return [index * 1000 / 30 for index in range(count)]


def test_rate_and_delay_are_those_of_the_last_seconds() -> None:
    figures = recorded(at_30_fps(300)).snapshot(START + 10_000 * MS)

    assert figures.frequency == pytest.approx(30.0, abs=0.01)
    assert figures.delay_mean_s == pytest.approx(0.004)
    assert figures.delay_max_s == pytest.approx(0.004)
    assert figures.events_since_start == 300
    assert 148 <= figures.events_in_window <= 151
    assert figures.window_s == pytest.approx(5.0, abs=0.05)
    assert figures.acceptable == (27.0, 33.0)


def test_gaps_between_stamps_are_lost_frames() -> None:
    times = at_30_fps(60)
    del times[10], times[30:33]

    assert recorded(times).snapshot(START + 2000 * MS).dropped == 4


def test_a_pause_with_nobody_subscribed_is_no_loss_and_no_low_rate() -> None:
    figures = recorded(at_30_fps(30))
    figures.restart()
    for time_ms in at_30_fps(30):
        stamp_ns = START + 4000 * MS + int(time_ms * MS)
        figures.record(stamp_ns, stamp_ns)
    snapshot = figures.snapshot(START + 5000 * MS)

    assert snapshot.dropped == 0
    assert snapshot.frequency == pytest.approx(30.0, abs=0.01)


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_clock_step_is_no_loss(step_s: int) -> None:
    figures = recorded([*at_30_fps(10), *[step_s * 1000 + time for time in at_30_fps(10)]])
    snapshot = figures.snapshot(START + step_s * 1000 * MS + 400 * MS)

    assert snapshot.dropped == 0
    assert snapshot.events_in_window == 10
    assert snapshot.frequency == pytest.approx(30.0, abs=0.01)


def test_without_frames_there_is_nothing_to_tell() -> None:
    figures = recorded([]).snapshot(START)

    assert (figures.frequency, figures.delay_mean_s, figures.delay_max_s, figures.window_s) == (None, None, None, 0.0)


@pytest.mark.parametrize(
    ("status", "frame_times", "expected"),
    [
        (CaptureStatus(CaptureState.STOPPED), [], (Level.OK, "idle: nobody subscribes")),
        (CaptureStatus(CaptureState.OPENING), [], (Level.OK, "opening")),
        (
            CaptureStatus(CaptureState.OPENING, silent_s=30.0),
            [],
            (Level.ERROR, "neither frame nor fault for 30 s: its driver hangs"),
        ),
        (CaptureStatus(CaptureState.LIVE), at_30_fps(30), (Level.OK, "delivers")),
        (CaptureStatus(CaptureState.LIVE), [0.0], (Level.OK, "started")),
        (CaptureStatus(CaptureState.LIVE), [], (Level.WARN, "no frames")),
        (CaptureStatus(CaptureState.LIVE), [0.0, 100.0, 200.0], (Level.WARN, "10.0 frames/s, not 27.0 to 33.0")),
        (
            CaptureStatus(CaptureState.FAULT, attempts=1, last_error="cable"),
            [],
            (Level.WARN, "no frames, opening again: cable"),
        ),
        (
            CaptureStatus(CaptureState.FAULT, attempts=2, last_error="cable"),
            [],
            (Level.ERROR, "no frames, opening again: cable"),
        ),
    ],
)
def test_the_verdict(status: CaptureStatus, frame_times: list[float], expected: Verdict) -> None:
    assert judge(status, recorded(frame_times).snapshot(START + 1100 * MS)) == expected


def test_a_source_with_a_pace_of_its_own_is_never_too_slow() -> None:
    figures = recorded([0.0, 500.0, 1000.0], target=None).snapshot(START + 1100 * MS)

    assert figures.dropped == 0
    assert judge(CaptureStatus(CaptureState.LIVE), figures) == (Level.OK, "delivers")

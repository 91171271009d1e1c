"""A short soak: what lives through joins, changes, kills and restarts holds no more at the end than at the start."""

import os

import pytest

from bench.process_figures import Holdings
from bench.soak import MOST_MORE_DESCRIPTORS, MOST_MORE_THREADS, growth, run

MINUTES = float(os.environ.get("PICAM_WEBRTC_SOAK_MINUTES", "3"))
MOST_MORE_MB = 15.0
"""In so short a time caches are still being filled; `make soak` measures the slope after that."""


@pytest.mark.ros
@pytest.mark.heavy
@pytest.mark.timeout(60 * MINUTES + 120)
def test_nothing_leaks_while_viewers_parameters_and_cameras_come_and_go() -> None:
    log, grown = run(MINUTES, seed=1)

    assert len(log.times_s) >= 3
    for name, one in grown.items():
        held = log.held[name]
        assert one.descriptors <= MOST_MORE_DESCRIPTORS, f"{name}: {[each.descriptors for each in held]}"
        assert one.threads <= MOST_MORE_THREADS, f"{name}: {[each.threads for each in held]}"
        more_mb = held[-1].rss_mb - held[len(held) // 3].rss_mb
        assert more_mb <= MOST_MORE_MB, f"{name}: {[round(each.rss_mb) for each in held]}"


def test_growth_is_the_slope_after_the_warm_up() -> None:
    times = [float(second) for second in range(0, 600, 10)]
    held = [Holdings(rss_mb=100 if time < 290 else 50 + time / 600, descriptors=20, threads=9) for time in times]

    found = growth(times, held)

    assert found.rss_mb_per_10_min == pytest.approx(1.0)
    assert (found.descriptors, found.threads) == (0, 0)
    assert found.acceptable


def test_a_leak_of_descriptors_is_found() -> None:
    times = [float(second) for second in range(60)]
    held = [Holdings(rss_mb=100, descriptors=20 + int(time), threads=9) for time in times]

    assert not growth(times, held).acceptable

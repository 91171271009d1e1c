"""Down when the link is too narrow, up after calm, and not at every hiccup."""

from itertools import pairwise

import pytest

from picam_webrtc.streaming.fanout.adaptation import FIRST_CALM_S, Adaptation

SHARES = (1.0, 0.5, 0.25)
FULL_BITRATE = 2_000_000.0


class Link:
    """A viewer behind a link, reporting twice a second; time passes by `run`."""

    def __init__(self, noise: float = 0.0, capacity: float | None = None, activity: float = 1.0) -> None:
        self.now_s = 0.0
        self.noise, self.capacity, self.activity = noise, capacity, activity
        self.adaptation = Adaptation(SHARES, 0.0)
        self.rungs: list[int] = []

    def run(self, seconds: float) -> list[int]:
        """The rungs during that time."""
        start = len(self.rungs)
        for _ in range(round(2 * seconds)):
            self.now_s += 0.5
            sent = FULL_BITRATE * SHARES[self.adaptation.rung] * self.activity
            carried = sent if self.capacity is None else min(sent, self.capacity)
            self.adaptation.on_report(1 - (1 - self.noise) * carried / sent, self.now_s)
            # A receiver knows of no more than half as much again as it gets.
            self.adaptation.on_estimate(0.9 * carried if carried < sent else 1.5 * sent, self.now_s)
            self.rungs.append(self.adaptation.decide(sent, self.now_s))
        return self.rungs[start:]


def test_a_good_link_stays_on_full_quality() -> None:
    assert set(Link().run(120)) == {0}


def test_a_noisy_link_is_not_a_narrow_one() -> None:
    assert set(Link(noise=0.05).run(120)) == {0}


def test_a_picture_at_rest_is_no_sign_of_a_narrow_link() -> None:
    assert set(Link(activity=0.05).run(120)) == {0}


@pytest.mark.parametrize(("capacity", "rung"), [(1_200_000, 1), (550_000, 2), (300_000, 2)])
def test_a_narrow_link_gets_the_rendition_that_fits_within_seconds(capacity: float, rung: int) -> None:
    link = Link(capacity=capacity)

    assert link.run(5)[-1] == rung


def test_a_link_that_recovers_climbs_one_rung_at_a_time() -> None:
    link = Link(capacity=300_000)
    link.run(10)
    link.capacity = None
    climbing = link.run(60)

    assert climbing[0] == 2
    assert [rung for rung, before in zip(climbing, [2, *climbing], strict=False) if rung != before] == [1, 0]


def test_tries_that_fail_become_rarer() -> None:
    link = Link(capacity=600_000)
    link.run(300)
    ups = [
        number / 2
        for number, (rung, before) in enumerate(zip(link.rungs[1:], link.rungs, strict=False))
        if rung < before
    ]
    pauses = [later - earlier for earlier, later in pairwise(ups)]

    assert 3 <= len(ups) <= 6
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 8 * FIRST_CALM_S


def test_heavy_loss_without_estimates_goes_down_one_rung_after_a_while() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    rungs = []
    for step in range(1, 20):
        adaptation.on_report(0.2, step * 0.5)
        rungs.append(adaptation.decide(FULL_BITRATE, step * 0.5))

    assert rungs[0] == 0
    assert rungs.index(1) == pytest.approx(3, abs=1)
    assert rungs.index(2) > rungs.index(1) + 3


def test_crushing_loss_goes_to_the_smallest_at_once() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    adaptation.on_report(0.6, 1.0)

    assert adaptation.decide(FULL_BITRATE, 1.0) == 2


def test_a_picture_lost_again_and_again_is_a_sign() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    for step in range(4):
        adaptation.on_keyframe_request(1.0 + step * 0.3)

    assert adaptation.decide(FULL_BITRATE, 2.0) == 1


def test_a_full_socket_is_a_sign() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    adaptation.on_full(3.0)

    assert adaptation.decide(FULL_BITRATE, 3.0) == 1


def test_an_estimate_that_is_old_says_nothing() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    adaptation.on_estimate(100_000, 1.0)

    assert adaptation.estimate(2.0) == 100_000
    assert adaptation.estimate(60.0) is None
    assert adaptation.decide(FULL_BITRATE, 60.0) == 0


def test_a_rung_made_smaller_for_this_link_is_not_left_for_a_higher_one() -> None:
    adaptation = Adaptation(SHARES, 0.0)
    adaptation.on_report(0.6, 1.0)
    adaptation.decide(FULL_BITRATE, 1.0)
    for step in range(200):
        now_s = 1.0 + 0.5 * step
        adaptation.on_report(0.0, now_s)
        adaptation.on_estimate(500_000, now_s)
        squeezed = adaptation.decide(400_000, now_s, squeezed=True)
    later = [adaptation.decide(400_000, now_s + 0.5 * step) for step in range(round(2 * FIRST_CALM_S) + 1)]

    assert squeezed == 2
    assert later[0] == 2
    assert later[-1] == 1

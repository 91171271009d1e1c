"""Frames of one moment find each other, in whatever order their topics deliver."""

import logging
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.frame import Frame
from picam_webrtc.inference.pairing import KEPT, FramePairs


def frame(stamp_ns: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), "bgr8", stamp_ns, "")


@dataclass
class Rig:
    stamps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = FramePairs(self._on_pair)

    def _on_pair(self, small: Frame, picture: Frame) -> None:
        assert small is not picture
        assert small.stamp_ns == picture.stamp_ns
        self.stamps.append(small.stamp_ns)


@pytest.mark.parametrize("small_first", [True, False])
def test_two_frames_of_one_stamp_are_handed_on_together(small_first: bool) -> None:
    rig = Rig()
    puts = (rig.pairs.put_small, rig.pairs.put_picture)
    for stamp in range(3):
        for put in puts if small_first else puts[::-1]:
            put(frame(stamp))

    assert rig.stamps == [0, 1, 2]


def test_topics_that_are_frames_apart_still_meet() -> None:
    rig = Rig()
    for stamp in range(KEPT):
        rig.pairs.put_picture(frame(stamp))
    for stamp in range(KEPT):
        rig.pairs.put_small(frame(stamp))

    assert rig.stamps == list(range(KEPT))


def test_a_frame_whose_twin_was_lost_is_dropped() -> None:
    rig = Rig()
    rig.pairs.put_picture(frame(1))
    rig.pairs.put_picture(frame(2))
    rig.pairs.put_small(frame(2))
    rig.pairs.put_small(frame(1))

    assert rig.stamps == [2]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_any_order_gives_pairs_once_and_keeps_few_frames(order: list[tuple[bool, int]]) -> None:
    rig = Rig()
    for is_small, stamp in order:
        (rig.pairs.put_small if is_small else rig.pairs.put_picture)(frame(stamp))

    assert len(rig.pairs._small) <= KEPT
    assert len(rig.pairs._pictures) <= KEPT
    assert len(rig.stamps) == rig.pairs.pairs


def test_a_frame_that_a_later_pair_overtakes_counts_as_unpaired() -> None:
    rig = Rig()
    for stamp in (1, 2):
        rig.pairs.put_small(frame(stamp))
    rig.pairs.put_picture(frame(2))

    assert rig.stamps == [2]
    assert rig.pairs.unpaired == 1


def test_a_topic_that_never_fits_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    for stamp in range(5 * KEPT):
        rig.pairs.put_picture(frame(stamp))

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "lores_topic" in caplog.text
    assert rig.pairs.unpaired == 4 * KEPT


def test_a_picture_that_stays_alone_goes_on_where_somebody_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    alone: list[int] = []
    complaint = "nothing comes with them"
    pairs: FramePairs[Frame] = FramePairs(lambda *_: None, lambda one: alone.append(one.stamp_ns), complaint, 3)
    said = []
    for stamp in range(KEPT + 4):
        pairs.put_picture(frame(stamp))
        said.append(len(caplog.messages))

    assert alone == [0, 1, 2, 3]
    assert said == [*(0 for _ in range(KEPT + 2)), 1, 1]
    assert caplog.messages == [complaint]

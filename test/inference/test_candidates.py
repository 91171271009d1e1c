"""Suppression against a slow reference, and the small functions scores go through."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.detection import BoundingBox
from picam_webrtc.inference.candidates import Candidates, blend, logit, overlap, sigmoid, suppress
from picam_webrtc.inference.tensors import Array
from picam_webrtc_test.inference.boxes import iou

sides = st.integers(0, 16).map(lambda value: value / 16)
boxes = st.tuples(sides, sides, sides, sides).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)
found = st.lists(st.tuples(boxes, st.integers(1, 99), st.integers(0, 2)), max_size=30)


def candidates(rows: Sequence[tuple[tuple[float, ...], int, int]]) -> Candidates:
    return Candidates(
        np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.array([score / 100 for _, score, _ in rows], np.float32),
        np.array([class_id for _, _, class_id in rows], np.intp),
    )


def slow_suppression(given_candidates: Candidates, limit: float) -> list[int]:
    """The definition: the best is kept and removes its rivals, then the best of what is left."""
    kept: list[int] = []
    left = np.argsort(-given_candidates.scores, kind="stable").tolist()
    while left:
        winner = left.pop(0)
        kept.append(winner)
        box = BoundingBox(*given_candidates.boxes[winner].tolist())
        left = [
            row
            for row in left
            if given_candidates.class_ids[row] != given_candidates.class_ids[winner]
            or iou(box, BoundingBox(*given_candidates.boxes[row].tolist())) <= limit
        ]
    return kept


@given(found, st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]), st.integers(1, 40))
def test_suppression_keeps_what_its_definition_keeps(
    rows: list[tuple[tuple[float, ...], int, int]], limit: float, most: int
) -> None:
    all_of_them = candidates(rows)

    kept = suppress(all_of_them, limit, most)

    wanted = all_of_them.take(slow_suppression(all_of_them, limit)[:most])
    assert kept.boxes.tolist() == wanted.boxes.tolist()
    assert kept.scores.tolist() == wanted.scores.tolist()
    assert kept.class_ids.tolist() == wanted.class_ids.tolist()


@given(boxes, boxes)
def test_overlap_is_that_of_bounding_boxes(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    assert overlap(one, other) == pytest.approx(iou(BoundingBox(*one), BoundingBox(*other)))


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_fraction(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert 0 <= overlap(one, other) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("other", "expected"),
    [((10, 20, 30, 60), 1), ((10, 20, 30, 40), 0.5), ((20, 20, 40, 60), 1 / 3), ((30, 20, 50, 60), 0)],
)
def test_overlap_by_hand(other: tuple[float, ...], expected: float) -> None:
    assert overlap((10, 20, 30, 60), other) == pytest.approx(expected)


def test_blending_averages_rivals_by_their_scores() -> None:
    rows = [((0.0, 0.0, 0.5, 0.5), 75, 0), ((0.1, 0.0, 0.6, 0.5), 25, 0), ((0.7, 0.7, 0.9, 0.9), 50, 0)]
    keypoints = np.array([[[0.0, 0.0, 1.0]], [[0.4, 0.8, 1.0]], [[0.5, 0.5, 1.0]]])
    plain = candidates(rows)

    blended = blend(Candidates(plain.boxes, plain.scores, plain.class_ids, keypoints), 0.3, 10)

    assert blended.scores.tolist() == pytest.approx([0.75, 0.5])
    assert blended.boxes[0].tolist() == pytest.approx([0.025, 0, 0.525, 0.5])
    assert blended.keypoints is not None
    assert blended.keypoints[0, 0].tolist() == pytest.approx([0.1, 0.2, 1])


@given(st.floats(0.001, 0.999))
def test_a_threshold_on_logits_is_one_on_scores(score: float) -> None:
    assert sigmoid(np.array([logit(score)]))[0] == pytest.approx(score)


def test_the_ends_of_the_scale_let_everything_or_nothing_through() -> None:
    assert logit(0) == -np.inf
    assert logit(1) == np.inf


@pytest.mark.parametrize("logits", [np.array([-1e30, 1e30], np.float32), np.array([-1000.0, 1000.0])])
def test_extreme_logits_are_scores_without_a_warning(logits: Array) -> None:
    assert sigmoid(logits).tolist() == pytest.approx([0, 1])

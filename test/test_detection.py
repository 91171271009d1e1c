"""The algebra of boxes."""

from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.detection import BoundingBox

coordinates = st.floats(-2000, 2000)
boxes = st.builds(BoundingBox, coordinates, coordinates, coordinates, coordinates)


@given(boxes, st.floats(1, 1000), st.floats(1, 1000))
def test_a_clipped_box_lies_in_the_picture(box: BoundingBox, width: float, height: float) -> None:
    clipped = box.clipped(width, height)

    assert 0 <= clipped.x0 <= width
    assert 0 <= clipped.x1 <= width
    assert 0 <= clipped.y0 <= height
    assert 0 <= clipped.y1 <= height


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_fraction(one: BoundingBox, other: BoundingBox) -> None:
    assert one.iou(other) == other.iou(one)
    assert 0 <= one.iou(other) <= 1 + 1e-9


def test_a_box_overlaps_itself_wholly_and_a_distant_one_not_at_all() -> None:
    box = BoundingBox(10, 20, 30, 60)

    assert box.iou(box) == 1
    assert box.iou(BoundingBox(30, 20, 50, 60)) == 0


def test_half_a_box_overlaps_by_half() -> None:
    assert BoundingBox(0, 0, 10, 10).iou(BoundingBox(0, 0, 10, 5)) == 0.5


def test_size_and_center_follow_from_the_corners() -> None:
    box = BoundingBox(10, 20, 30, 60)

    assert (box.width, box.height, box.area, box.center) == (20, 40, 800, (20, 40))


def test_scaling_maps_a_box_to_a_picture_of_another_size() -> None:
    assert BoundingBox(1, 2, 3, 4).scaled(10, 100) == BoundingBox(10, 200, 30, 400)

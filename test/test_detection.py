"""Boxes in a picture."""

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


def test_size_and_center_follow_from_the_corners() -> None:
    box = BoundingBox(10, 20, 30, 60)

    assert (box.width, box.height, box.area, box.center) == (20, 40, 800, (20, 40))

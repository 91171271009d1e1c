"""Detections on their topic: nothing is lost on the way through JSON, and nothing is made that nobody wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.ros.detections import (
    DetectionsPublisher,
    DetectionsSubscription,
    MalformedDetections,
    detections_from_text,
    detections_text,
    detections_topic_of,
)
from test.ros.support import on_spin_thread, running_node, wait_until

numbers = st.floats(-1e6, 1e6)
keypoints = st.builds(Keypoint, st.text(max_size=8), numbers, numbers, st.floats(0, 1))
boxes = st.builds(BoundingBox, numbers, numbers, numbers, numbers)
items = st.builds(
    Detection, st.integers(0, 1000), st.text(max_size=8), st.floats(0, 1), boxes, st.tuples(keypoints) | st.just(())
)
detections = st.builds(
    Detections,
    st.integers(0, 2**62),
    st.text(max_size=8),
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.lists(items, max_size=3).map(tuple),
    st.integers(0, 10**10),
    st.booleans(),
)
FOUND = Detections(1_000_000_001, "optical", 640, 480, (Detection(17, "cat", 0.9, BoundingBox(1, 2, 3, 4)),))


@given(detections)
def test_what_was_found_survives_the_way_through_json(found: Detections) -> None:
    assert detections_from_text(detections_text(found)) == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"text"', '{"header": {}}', detections_text(FOUND).replace('"x0"', '"z"')]
)
def test_what_is_no_detections_is_refused(text: str) -> None:
    with pytest.raises(MalformedDetections, match="no detections in JSON"):
        detections_from_text(text)


@pytest.mark.parametrize(
    ("image", "topic"),
    [
        ("image_raw", "detections_json"),
        ("/front/image_raw", "/front/detections_json"),
        ("/image_processed", "/detections_json"),
    ],
)
def test_the_topic_is_beside_the_image(image: str, topic: str) -> None:
    assert detections_topic_of(image) == topic


def test_they_are_published_while_somebody_subscribes() -> None:
    with running_node("detections") as (runtime, node):
        demand, taken = list[bool](), list[Detections]()
        publisher = DetectionsPublisher(node, demand.append)
        publisher.publish(FOUND)
        subscription = DetectionsSubscription(node, "detections_json", taken.append)
        runtime.spin()
        wait_until(lambda: demand == [True], "the subscriber is noticed")
        publisher.publish(FOUND)
        wait_until(lambda: taken, "the message")
        on_spin_thread(runtime, subscription.close)
        wait_until(lambda: demand == [True, False], "the subscriber's end is noticed")

    assert taken == [FOUND]

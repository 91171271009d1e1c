"""Detections on their topic: nothing is made that nobody wants."""

import pytest

from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.ros.topics.detections import (
    DetectionsPublisher,
    DetectionsSubscription,
    detections_topic_of,
)
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until

FOUND = Detections(1_000_000_001, "optical", 640, 480, (Detection(17, "cat", 0.9, BoundingBox(1, 2, 3, 4)),))


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
        publisher = DetectionsPublisher(node, lambda: demand.append(publisher.demanded))
        publisher.publish_detections(FOUND)
        subscription = DetectionsSubscription(node, "detections_json", taken.append)
        runtime.spin()
        wait_until(lambda: demand == [True], "the subscriber is noticed")
        publisher.publish_detections(FOUND)
        wait_until(lambda: taken, "the message")
        on_spin_thread(runtime, subscription.close)
        wait_until(lambda: demand == [True, False], "the subscriber's end is noticed")

    assert taken == [FOUND]

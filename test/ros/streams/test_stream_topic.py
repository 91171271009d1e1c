"""The topic behind a stream."""

from collections.abc import Callable

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import String

from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.detection_json import detections_json
from picam_webrtc.ros.streams.stream_topic import StreamTopic
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until

FOUND = Detections(
    1_000_000_001, "optical", 640, 480, (Detection(17, "cat", 0.9, BoundingBox(1, 2, 3, 4)),), drawn=True
)


class FakeStream:
    """A Stream that keeps the detections it gets."""

    def __init__(self, taken: list[Detections]) -> None:
        self.push_detections = taken.append


def soon(_: Callable[[], None]) -> None:
    """Nobody subscribes here."""


@pytest.mark.parametrize(
    ("topic", "transform"),
    [
        ("/front/image_processed", "tflite"),
        ("/front/image_processed/h264", "tflite"),
        ("/front/image_raw", "none"),
        ("/rear/image_processed", "none"),
    ],
)
def test_the_transform_is_told_by_the_detections_beside_processed_pictures(topic: str, transform: str) -> None:
    with running_node("streams") as (_, node):
        for camera in ("front", "rear"):
            node.create_publisher(Image, f"/{camera}/image_processed", 1)
        node.create_publisher(String, "/front/detections_json", 1)
        wait_until(lambda: node.count_publishers("/front/detections_json"), "the publisher")

        assert StreamTopic(node, topic, soon, LocalTopics()).transform() == transform


@pytest.mark.parametrize(
    ("remap", "topic", "full", "detections"),
    [
        ("image_raw:=cam/image", "image_raw", "/cam/image", "/detections_json"),
        ("image_raw:=cam/image", "image_raw", "/cam/image", "/cam/detections_json"),
        ("image_raw:=cam/image", "image_raw/h264", "/cam/image/h264", "/detections_json"),
        ("image_processed:=found", "image_processed/compressed", "/found/compressed", "/detections_json"),
        ("detections_json:=boxes", "image_processed", "/image_processed", "/boxes"),
        ("image:=/other/image_raw", "image", "/other/image_raw", "/other/detections_json"),
        ("any:=thing", "/front/image_raw/h264", "/front/image_raw/h264", "/front/detections_json"),
    ],
)
def test_detections_are_found_beside_the_picture_as_asked_for_or_as_remapped(
    remap: str, topic: str, full: str, detections: str
) -> None:
    """Also for a coded topic: beside the picture that it is a form of."""
    source, taken = fed(topic, detections, remap)

    assert source.topic == full
    assert taken.items == FOUND.items


@pytest.mark.parametrize(
    ("topic", "drawn"), [("image_processed", True), ("image_processed/h264", True), ("image_raw", False)]
)
def test_of_remapped_pictures_it_is_known_whether_detections_are_drawn_into_them(topic: str, drawn: bool) -> None:
    _, taken = fed(topic, "detections_json", "image_processed:=found/image", "image_raw:=cam/image")

    assert taken.drawn is drawn


def fed(topic: str, detections_topic: str, *remaps: str) -> tuple[StreamTopic, Detections]:
    """A stream's topic under remaps, and the detections that reach its stream from that topic."""
    taken = list[Detections]()
    with running_node("streams", *(word for remap in remaps for word in ("-r", remap))) as (runtime, node):
        publisher = node.create_publisher(String, detections_topic, 1)
        wait_until(lambda: node.count_publishers(publisher.topic_name), "the publisher")
        source = StreamTopic(node, topic, runtime.call_soon, LocalTopics())
        source.stream = FakeStream(taken)  # type: ignore[assignment]
        source.allow(True)
        source.demand(True)
        runtime.spin()
        wait_until(lambda: publisher.get_subscription_count(), "the subscription")
        publisher.publish(String(data=detections_json(FOUND)))
        wait_until(lambda: taken, "the detections")
        on_spin_thread(runtime, source.close)
    return source, taken[0]

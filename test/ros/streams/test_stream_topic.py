"""The topic behind a stream."""

from collections.abc import Callable

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import String

from picam_webrtc.ros.streams.stream_topic import StreamTopic
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc_test.ros.support import running_node, wait_until


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

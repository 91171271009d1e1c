"""Quality of service of every topic is the user's to override."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.inference.made_models import Made, Recipe, made_model
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import running_node, wait_until

pytestmark = pytest.mark.ros

PUBLISHED = (
    *("/image_raw", "/image_raw/compressed", "/camera_info", "/image_processed", "/detections_json"),
    *("/diagnostics", "/viewers", "/image_raw/h264"),
)
PARAMETERS: dict[str, ParameterValue] = {
    "source": "test_pattern",
    "port": 0,
    "encoded_topics": "compressed_image",
    **{f"qos_overrides.{topic}.publisher.reliability": "best_effort" for topic in PUBLISHED},
}


def reliabilities(node: Node, topic: str) -> set[ReliabilityPolicy]:
    return {endpoint.qos_profile.reliability for endpoint in node.get_publishers_info_by_topic(topic)}


def test_every_topics_reliability_follows_its_override(tmp_path: Path) -> None:
    model = tmp_path / "one.tflite"
    model.write_bytes(made_model(Recipe([Made(np.zeros((1, 4, 6)), "found")])))
    parameters = {**PARAMETERS, "model": str(model)}
    with node_process("picam_webrtc", parameters) as node_under_test, running_node("onlooker") as (_, onlooker):
        node_under_test.wait_for_line("The page is at")
        for topic in PUBLISHED:
            wait_until(partial(reliabilities, onlooker, topic), f"a publisher of {topic}")
            assert reliabilities(onlooker, topic) == {ReliabilityPolicy.BEST_EFFORT}, topic

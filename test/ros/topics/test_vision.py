"""Detections reach robot nodes in other processes as vision_msgs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.frame import Frame
from picam_webrtc.ros.topics.image_io import ImagePublisher, LocalTopics
from picam_webrtc_test.inference.made_models import Made, Recipe, made_model
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.ros.support import running_node, wait_until
from picam_webrtc_test.ros.vision_bindings import type_hash, vision_environment

pytestmark = [pytest.mark.ros, pytest.mark.timeout(400)]

STAMP_NS = 1_700_000_000_123_456_789
STAMP = [1_700_000_000, 123_456_789]
UPSTREAM_HASHES = {
    "Detection2DArray": "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "LabelInfo": "RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
}
"""Of vision_msgs 4.1, with which robots are equipped."""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return vision_environment()


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "made.tflite"
    rows = np.zeros((1, 4, 6))
    rows[0, 0] = (0.25, 0.25, 0.75, 0.5, 0.875, 1)
    path.write_bytes(made_model(Recipe([Made(rows, "found")])))
    path.with_suffix(".txt").write_text("cat\ndog\n")
    return str(path)


@contextmanager
def camera() -> Iterator[Callable[[], None]]:
    """A node that publishes `image_raw`; gives the function that sends a picture."""
    with running_node("camera") as (runtime, node):
        publisher = ImagePublisher(node, "image_raw", LocalTopics(), lambda: None)
        runtime.spin()
        frame = Frame(np.zeros((64, 64, 3), np.uint8), "bgr8", STAMP_NS, "an_optical_frame")
        yield lambda: publisher.publish(frame)
        publisher.close()


def heard(listener: NodeProcess, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in listener.lines if line.startswith("{")]
    return [line for line in lines if line["kind"] == kind]


def next_heard(listener: NodeProcess, kind: str, send: Callable[[], None]) -> dict[str, Any]:
    def sent_and_heard() -> bool:
        send()
        return bool(heard(listener, kind))

    wait_until(sent_and_heard, kind, timeout_s=30)
    return heard(listener, kind)[-1]


@pytest.mark.parametrize(("class_ids", "class_id"), [("name", "dog"), ("number", "1")])
def test_another_process_gets_detections_with_the_pictures_header(
    environment: dict[str, str], model: str, class_ids: str, class_id: str
) -> None:
    parameters = {"model": model, "class_ids": class_ids, "resize": "stretch"}
    with (
        camera() as send,
        node_process("inference_node", parameters, environment=environment) as inference,
        node_process("picam_webrtc_test.ros.vision_listener", environment=environment) as listener,
    ):
        inference.wait_for_line("Ready")
        message = next_heard(listener, "detections", send)
        assert "Traceback" not in listener.output

    assert (message["stamp"], message["frame_id"]) == (STAMP, "an_optical_frame")
    (found,) = message["content"]
    assert found == {"stamp": STAMP, "class_id": class_id, "score": 0.875, "center": [32, 24], "size": [32, 16]}
    assert "Traceback" not in inference.output


def test_who_comes_late_still_gets_the_labels(environment: dict[str, str], model: str) -> None:
    with node_process("inference_node", {"model": model}, environment=environment) as inference:
        inference.wait_for_line("Ready")
        with node_process("picam_webrtc_test.ros.vision_listener", environment=environment) as listener:
            message = next_heard(listener, "labels", lambda: None)

    assert message["content"] == {"0": "cat", "1": "dog"}


def test_without_vision_msgs_the_node_says_so_once_and_goes_on(model: str) -> None:
    with node_process("inference_node", {"model": model}) as inference:
        inference.wait_for_line("Ready")

    told = [line for line in inference.lines if "vision_msgs is not installed" in line]
    assert len(told) == 1


@pytest.mark.parametrize("message", UPSTREAM_HASHES)
def test_the_built_messages_are_the_genuine_ones_to_other_nodes(environment: dict[str, str], message: str) -> None:
    if not environment:
        pytest.skip("the genuine package is installed")
    assert type_hash(environment, message) == UPSTREAM_HASHES[message]

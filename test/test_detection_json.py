"""Detections in JSON: nothing is lost on the way, and the documented schema describes every one."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.detection_json import detections_from_json, detections_json
from picam_webrtc.errors import MalformedDetections

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = json.loads((DOCS / "detections.schema.json").read_text())

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
    assert detections_from_json(detections_json(found)) == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"text"', '{"header": {}}', detections_json(FOUND).replace('"x0"', '"z"')]
)
def test_what_is_no_detections_is_refused(text: str) -> None:
    with pytest.raises(MalformedDetections, match="no detections in JSON"):
        detections_from_json(text)


@given(detections)
def test_the_schema_describes_every_message(found: Detections) -> None:
    jsonschema.validate(json.loads(detections_json(found)), SCHEMA)


def test_the_example_of_the_documentation_is_a_message() -> None:
    text = (DOCS / "detections.md").read_text()
    example = text.split("```json")[1].split("```")[0]

    jsonschema.validate(json.loads(example), SCHEMA)
    assert detections_from_json(example).items[0].label == "Person"


def test_the_schema_leaves_nothing_out() -> None:
    message = json.loads(detections_json(FOUND))

    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(message)
    assert set(SCHEMA["$defs"]["detection"]["properties"]) == set(message["detections"][0])

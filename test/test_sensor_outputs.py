"""Outputs of a network on the sensor: as values, and as JSON on a topic."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.errors import MalformedSensorOutputs
from picam_webrtc.frame import Frame
from picam_webrtc.sensor_outputs import SensedFrame, SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.sensor_outputs_json import sensor_outputs_from_json, sensor_outputs_json
from picam_webrtc.view import View

SEEN = View((4056, 3040), (508, 0, 3040, 3040), (508, 0, 3040, 3040), hflip=True)
SHOWN = View((4056, 3040), (0, 379, 4056, 2282), (0, 379, 4056, 2282), vflip=True, orientation=90)
NETWORK = SensorNetwork("pets", "object detection", (320, 240), ("cat", "dog"), "xy", True, False, "nanodet")
OUTPUTS = SensorOutputs(
    NETWORK, SEEN, (SensorTensor.of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]), SensorTensor.of([7])), 12_345_000
)
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), "bgr8", 1_795_358_400_033_000_000, "optical", view=SHOWN)


def test_a_tensor_gives_its_numbers_and_keeps_them() -> None:
    tensor = OUTPUTS.tensors[0]

    assert tensor.array.tolist() == [[1, 2, 3], [4, 5, 6.5]]
    assert not tensor.array.flags.writeable


@pytest.mark.parametrize("shape", [(5,), (2, 2, 2), (-1, -6), (0,), ()])
def test_a_shape_that_the_data_has_not_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="24 bytes are no float32 of shape"):
        SensorTensor(shape, bytes(24))


def test_a_frame_with_outputs_is_the_frame_with_the_view_that_came_with_them() -> None:
    bare = Frame(FRAME.pixels, "bgr8", 7, "optical")
    sensed = SensedFrame.of(bare, SHOWN, OUTPUTS)

    assert sensed.pixels is bare.pixels
    assert (sensed.encoding, sensed.stamp_ns, sensed.frame_id, sensed.view) == ("bgr8", 7, "optical", SHOWN)
    assert sensed.outputs is OUTPUTS


def test_the_message_tells_everything_in_plain_json() -> None:
    message = json.loads(sensor_outputs_json(OUTPUTS, FRAME))

    assert message["header"] == {"stamp": {"sec": 1795358400, "nanosec": 33000000}, "frame_id": "optical"}
    assert message["network_ms"] == 12.345
    assert message["network"] == {
        "name": "pets",
        "task": "object detection",
        "input_size": [320, 240],
        "labels": ["cat", "dog"],
        "bbox_order": "xy",
        "bbox_normalization": True,
        "softmax": False,
        "post_processing": "nanodet",
    }
    first = message["outputs"][0]
    assert first["shape"] == [2, 3]
    assert np.frombuffer(base64.b64decode(first["data"]), "<f4").tolist() == [1, 2, 3, 4, 5, 6.5]
    assert message["input_view"] == {
        "pixel_array": [4056, 3040],
        "crop": [508, 0, 3040, 3040],
        "whole": [508, 0, 3040, 3040],
        "hflip": True,
        "vflip": False,
        "orientation": 0,
    }
    assert message["picture_view"]["orientation"] == 90


@pytest.mark.parametrize("view", [SHOWN, None], ids=["view", "no view"])
def test_what_was_said_is_understood(view: View | None) -> None:
    frame = Frame(FRAME.pixels, "bgr8", FRAME.stamp_ns, "optical", view=view)
    heard = sensor_outputs_from_json(sensor_outputs_json(OUTPUTS, frame))

    assert (heard.stamp_ns, heard.frame_id, heard.view, heard.outputs) == (FRAME.stamp_ns, "optical", view, OUTPUTS)


def test_no_outputs_are_a_message_too() -> None:
    heard = sensor_outputs_from_json(sensor_outputs_json(SensorOutputs(NETWORK, SEEN), FRAME))

    assert heard.outputs.tensors == ()


def broken(path: str, value: Any) -> str:
    """The message with something else in one place."""
    message = json.loads(sensor_outputs_json(OUTPUTS, FRAME))
    place, *rest = path.split("/")
    inside = message
    while rest:
        inside, (place, *rest) = inside[int(place) if place.isdigit() else place], rest
    inside[int(place) if place.isdigit() else place] = value
    return json.dumps(message)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        broken("header", None),
        broken("outputs/0/data", "ÿ"),
        broken("outputs/0/data", "AAAA"),
        broken("outputs/0/shape", [2**40]),
        broken("outputs", 7),
        broken("network_ms", "fast"),
        broken("network_ms", float("inf")),
        broken("network/input_size", [1]),
        broken("input_view", None),
        broken("input_view/crop", [0, 0, 0, 0]),
        broken("input_view/orientation", 45),
        broken("picture_view/whole", []),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(MalformedSensorOutputs, match="no sensor outputs in JSON"):
        sensor_outputs_from_json(text)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_comes_is_refused_in_one_way(value: Any) -> None:
    with pytest.raises(MalformedSensorOutputs):
        sensor_outputs_from_json(json.dumps(value))


def test_the_documented_message_has_the_members_of_a_real_one() -> None:
    page = (Path(__file__).parents[1] / "docs" / "detections.md").read_text()
    example = re.search(r"## sensor_outputs\n.*?```json\n(.*?)```", page, re.DOTALL)
    assert example is not None

    assert members(json.loads(example[1])) == members(json.loads(sensor_outputs_json(OUTPUTS, FRAME)))


def members(value: Any) -> Any:
    """The names in an object, all the way down; of a list those of its first element."""
    if isinstance(value, dict):
        return {name: members(inside) for name, inside in value.items()}
    return [members(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None

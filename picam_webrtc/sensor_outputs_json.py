"""Outputs of a network on the sensor as JSON, which needs no message package. docs/detections.md explains it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from picam_webrtc.detection_json import NS_PER_MS, NS_PER_S
from picam_webrtc.errors import MalformedSensorOutputs
from picam_webrtc.frame import Frame
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.view import QUARTER_TURNS, View


@dataclass(frozen=True, slots=True)
class PictureOutputs:
    """Outputs with the header of the picture of the same exposure, and what that shows of the sensor."""

    stamp_ns: int
    frame_id: str
    view: View | None
    outputs: SensorOutputs


def sensor_outputs_json(outputs: SensorOutputs, frame: Frame) -> str:
    """`frame` is the picture of the same exposure, as it is published."""
    sec, nanosec = divmod(frame.stamp_ns, NS_PER_S)
    beginning = {
        "header": {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": frame.frame_id},
        "network_ms": outputs.network_ns / NS_PER_MS,
        "outputs": [_tensor_json(tensor) for tensor in outputs.tensors],
        "input_view": asdict(outputs.seen),
        "picture_view": asdict(frame.view) if frame.view is not None else None,
    }
    return f'{json.dumps(beginning)[:-1]}, "network": {_network_json(outputs.network)}}}'


@lru_cache(maxsize=2)
def _network_json(network: SensorNetwork) -> str:
    """Once, and not for every picture: it may have a thousand labels."""
    return json.dumps(asdict(network))


def _tensor_json(tensor: SensorTensor) -> dict[str, Any]:
    return {"shape": tensor.shape, "data": base64.b64encode(tensor.data).decode()}


def sensor_outputs_from_json(text: str) -> PictureOutputs:
    """The inverse of `sensor_outputs_json`. Raises MalformedSensorOutputs."""
    try:
        message = json.loads(text)
        stamp, picture_view = message["header"]["stamp"], message["picture_view"]
        outputs = SensorOutputs(
            network=_network(message["network"]),
            seen=_view(message["input_view"]),
            tensors=tuple(_tensor(tensor) for tensor in message["outputs"]),
            network_ns=round(message["network_ms"] * NS_PER_MS),
        )
        return PictureOutputs(
            stamp_ns=stamp["sec"] * NS_PER_S + stamp["nanosec"],
            frame_id=str(message["header"]["frame_id"]),
            view=_view(picture_view) if picture_view is not None else None,
            outputs=outputs,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise MalformedSensorOutputs(f"no sensor outputs in JSON: {type(error).__name__}: {error}") from error


def _tensor(tensor: Mapping[str, Any]) -> SensorTensor:
    return SensorTensor(tuple(map(int, tensor["shape"])), base64.b64decode(tensor["data"], validate=True))


def _network(network: Mapping[str, Any]) -> SensorNetwork:
    width, height = map(int, network["input_size"])
    return SensorNetwork(
        name=str(network["name"]),
        task=str(network["task"]),
        input_size=(width, height),
        labels=tuple(map(str, network["labels"])),
        bbox_order=str(network["bbox_order"]),
        bbox_normalization=bool(network["bbox_normalization"]),
        softmax=bool(network["softmax"]),
        post_processing=str(network["post_processing"]),
    )


def _view(view: Mapping[str, Any]) -> View:
    """Raises ValueError for one that no matrix can be made of."""
    width, height = map(int, view["pixel_array"])
    (x, y, crop_width, crop_height), whole = map(int, view["crop"]), tuple(map(int, view["whole"]))
    if min(width, height, crop_width, crop_height) < 1 or len(whole) != 4 or view["orientation"] not in QUARTER_TURNS:
        raise ValueError(f"{view!r:.80} is no view of a sensor")
    return View(
        pixel_array=(width, height),
        crop=(x, y, crop_width, crop_height),
        whole=whole,
        hflip=bool(view["hflip"]),
        vflip=bool(view["vflip"]),
        orientation=int(view["orientation"]),
    )

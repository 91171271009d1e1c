"""Detections as JSON: the one form of them that needs no message package. docs/detections.md explains every field."""

import json
from dataclasses import asdict
from typing import Any

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.errors import MalformedDetections

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


def detections_json(detections: Detections) -> str:
    sec, nanosec = divmod(detections.stamp_ns, NS_PER_S)
    return json.dumps(
        {
            "header": {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": detections.frame_id},
            "width": detections.width,
            "height": detections.height,
            "inference_ms": detections.inference_ns / NS_PER_MS,
            "drawn": detections.drawn,
            "detections": [asdict(item) for item in detections.items],
        }
    )


def detections_from_json(text: str) -> Detections:
    """The inverse of `detections_json`. Raises MalformedDetections."""
    try:
        message = json.loads(text)
        stamp = message["header"]["stamp"]
        return Detections(
            stamp_ns=stamp["sec"] * NS_PER_S + stamp["nanosec"],
            frame_id=message["header"]["frame_id"],
            width=int(message["width"]),
            height=int(message["height"]),
            items=tuple(_detection(item) for item in message["detections"]),
            inference_ns=round(message["inference_ms"] * NS_PER_MS),
            drawn=bool(message["drawn"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedDetections(f"no detections in JSON: {type(error).__name__}: {error}") from error


def _detection(item: dict[str, Any]) -> Detection:
    return Detection(
        class_id=int(item["class_id"]),
        label=str(item["label"]),
        score=float(item["score"]),
        bbox=BoundingBox(**item["bbox"]),
        keypoints=tuple(Keypoint(**point) for point in item.get("keypoints", ())),
    )

"""Detections drawn into a picture: boxes with labels, key points, class maps."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np

from picam_webrtc.detection import Detection
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.preprocess import drawable
from picam_webrtc.inference.tensors import Array

Color = tuple[int, int, int, int]

FONT = cv2.FONT_HERSHEY_SIMPLEX
REFERENCE_HEIGHT = 720
"""Picture height at which text has scale 0.5 and lines are 2 pixels wide."""

TEXT_THICKNESS = 1
"""Thicker text costs fifteen times as much, and is no easier to read at this size."""

GOLDEN_ANGLE = 137.508
"""Hues this many degrees apart stay distinct however many classes there are."""

MASK_OPACITY = 0.4
MIN_KEYPOINT_SCORE = 0.2


def draw(frame: Frame, findings: Findings) -> Frame:
    """The frame with the findings in it: a copy, or the frame itself when there is nothing to draw.

    Frames that are not drawable in colour come back as bgr8, always, so that the encoding does not change from
    frame to frame. Raises ImageError.
    """
    picture = drawable(frame)
    if not findings.detections.items:
        return picture
    pixels = picture.pixels.copy() if picture is frame else picture.pixels
    red_first = picture.encoding.startswith("rgb")
    if findings.class_map is not None:
        _draw_class_map(pixels, findings.class_map, findings.detections.items, red_first)
    rows_used = 0
    for detection in findings.detections.items:
        color = class_color(detection.class_id, red_first)
        whole = detection.bbox.area >= picture.width * picture.height
        _draw_detection(pixels, detection, color, rows_used if whole else 0)
        rows_used += whole
    return replace(picture, pixels=pixels)


@cache
def class_color(class_id: int, red_first: bool) -> Color:
    """A bright colour of its own for every class, in the channel order of the picture."""
    hue = int(class_id * GOLDEN_ANGLE % 360 / 2)
    blue, green, red = cv2.cvtColor(np.array([[[hue, 200, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return (red, green, blue, 255) if red_first else (blue, green, red, 255)


def _draw_detection(pixels: Pixels, detection: Detection, color: Color, row: int) -> None:
    """`row` moves the label down: labels of whole pictures stand below each other."""
    box = detection.bbox
    left, top = round(box.x0), round(box.y0)
    scale = max(0.35, 0.5 * pixels.shape[0] / REFERENCE_HEIGHT)
    line_width = max(1, round(2 * pixels.shape[0] / REFERENCE_HEIGHT))
    cv2.rectangle(pixels, (left, top), (round(box.x1) - 1, round(box.y1) - 1), color, line_width)
    for point in detection.keypoints:
        if point.score >= MIN_KEYPOINT_SCORE:
            cv2.circle(pixels, (round(point.x), round(point.y)), 2 * line_width, color, cv2.FILLED)
    text = f"{detection.label} {detection.score:.0%}"
    (width, height), below = cv2.getTextSize(text, FONT, scale, TEXT_THICKNESS)
    tall = height + below + 2
    # Above the box where there is room, else inside it.
    base = (top if top >= tall else top + tall) + row * tall
    cv2.rectangle(pixels, (left, base - tall), (left + width, base), color, cv2.FILLED)
    cv2.putText(pixels, text, (left, base - below), FONT, scale, (0, 0, 0, 255), TEXT_THICKNESS)


def _draw_class_map(pixels: Pixels, class_map: Array, shown: tuple[Detection, ...], red_first: bool) -> None:
    height, width = pixels.shape[:2]
    classes = cv2.resize(class_map.astype(np.uint16), (width, height), interpolation=cv2.INTER_NEAREST)
    for class_id in {detection.class_id for detection in shown}:
        region = (classes == class_id).astype(np.uint8)
        color = np.array(class_color(class_id, red_first)[: pixels.shape[2]], np.uint8)
        tint = np.broadcast_to(color, pixels.shape).copy()
        cv2.copyTo(cv2.addWeighted(pixels, 1 - MASK_OPACITY, tint, MASK_OPACITY, 0), region, pixels)

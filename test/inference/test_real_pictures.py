"""What real models see on real pictures, against boxes drawn by hand."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from picam_webrtc.detection import BoundingBox
from picam_webrtc.frame import Frame
from picam_webrtc.inference.blazeface import KEYPOINTS
from picam_webrtc.inference.detector import load_model
from picam_webrtc.inference.findings import Findings
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.boxes import iou

CAT = BoundingBox(0, 0, 398, 300)
CUP = BoundingBox(173, 18, 410, 306)
"""With its handle, without the saucer."""
ASTRONAUT = BoundingBox(18, 15, 363, 512)
PHOTOGRAPHER = BoundingBox(0, 63, 332, 512)
ASTRONAUTS_FACE = BoundingBox(178, 62, 274, 182)
PHOTOGRAPHERS_FACE = BoundingBox(180, 118, 256, 198)
"""In profile, from the ear to the tip of the nose."""

PHOTOGRAPHER_OUTLINE = (
    *((0, 248), (50, 205), (75, 150), (110, 130), (150, 105), (165, 85), (200, 65), (240, 75), (270, 105)),
    *((268, 130), (255, 170), (240, 198), (300, 215), (315, 180), (332, 180), (320, 215), (285, 240), (303, 275)),
    *((245, 312), (205, 297), (140, 383), (148, 450), (148, 512), (0, 512)),
)

Look = Callable[..., Findings]


@pytest.fixture
def look(fetched: Callable[[str], Path], picture: Callable[[str], Frame]) -> Look:
    def look_at(model: str, name: str, threshold: float) -> Findings:
        fetched(model)
        settings = InferenceSettings(model=model, threshold=threshold)
        return load_model(settings).detect(picture(name), settings)

    return look_at


@pytest.mark.parametrize(
    ("name", "label", "box"),
    [
        ("chelsea.png", "Cat", CAT),
        ("coffee.png", "Coffee cup", CUP),
        ("astronaut.png", "Person", ASTRONAUT),
        ("camera.png", "Person", PHOTOGRAPHER),
    ],
)
def test_the_default_model_sees_the_main_thing_where_it_is(look: Look, name: str, label: str, box: BoundingBox) -> None:
    best = look("ssd_mobilenet_v2", name, 0.4).detections.items[0]

    assert best.label == label
    assert iou(best.bbox, box) >= 0.6


def test_the_default_model_sees_nothing_where_there_is_nothing_it_knows(look: Look) -> None:
    assert look("ssd_mobilenet_v2", "rocket.jpg", 0.4).detections.items == ()


@pytest.mark.parametrize("model", ["face_detection", "face_detection_short_range"])
def test_both_face_models_find_a_face_with_its_points_in_order(look: Look, model: str) -> None:
    (face,) = look(model, "astronaut.png", 0.5).detections.items

    assert face.label == "face"
    assert iou(face.bbox, ASTRONAUTS_FACE) >= 0.6
    points = {point.name: point for point in face.keypoints}
    assert list(points) == list(KEYPOINTS)
    assert points["right_eye"].x < points["nose_tip"].x < points["left_eye"].x
    assert points["right_eye"].y < points["nose_tip"].y < points["mouth_center"].y


@pytest.mark.parametrize("model", ["face_detection", "face_detection_short_range"])
def test_both_face_models_find_a_face_in_profile(look: Look, model: str) -> None:
    best = look(model, "camera.png", 0.5).detections.items[0]

    assert iou(best.bbox, PHOTOGRAPHERS_FACE) >= 0.4


@pytest.mark.parametrize("model", ["face_detection", "face_detection_short_range"])
def test_no_face_model_finds_a_face_in_a_cup(look: Look, model: str) -> None:
    assert look(model, "coffee.png", 0.5).detections.items == ()


def test_the_segmentation_model_cuts_the_person_out(look: Look) -> None:
    findings = look("selfie_segmentation", "camera.png", 0.5)

    (person,) = findings.detections.items
    assert person.label == "person"
    assert iou(person.bbox, PHOTOGRAPHER) >= 0.8
    assert findings.class_map is not None
    mask = cv2.resize(findings.class_map.astype(np.uint8), (512, 512), interpolation=cv2.INTER_NEAREST)
    outline = cv2.fillPoly(np.zeros((512, 512), np.uint8), [np.array(PHOTOGRAPHER_OUTLINE)], 1)
    assert (mask & outline).sum() / (mask | outline).sum() >= 0.8

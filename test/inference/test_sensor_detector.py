"""Detections of a network on the sensor: read as Picamera2's examples do, reported as those of any model.

The outputs are of real models on real pictures, made as `make_sensor_tensors.py` says, or made up.
"""

import logging
import queue
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.detection import BoundingBox
from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference import detector
from picam_webrtc.inference.engine import Engine, InferenceResult
from picam_webrtc.inference.sensor_detector import SHOWN_NS, SensorDetector, load_sensor_detector
from picam_webrtc.sensor_outputs import SensedFrame, SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.settings import InferenceSettings
from picam_webrtc.view import View
from picam_webrtc_test.camera.sensor_tensors import sensor_tensors
from picam_webrtc_test.inference.boxes import iou

WHOLE = (0, 0, 4056, 3040)
VIEW = View((4056, 3040), WHOLE, WHOLE)
LABELS = ("Bicycle", "Boot", "Laptop", "Person", "Chair", "Cattle", "Desk", "Cat")
PETS = SensorNetwork("pets_pp", "object detection", (300, 300), LABELS, "yx")
CAT = BoundingBox(0, 0, 398 / 451 * 640, 480)
"""The hand-drawn one of test_real_pictures.py, of a picture of 451x300, in one of 640x480."""
LIMIT_S = 10.0


def sensed(
    tensors: Sequence[Any], network: SensorNetwork = PETS, stamp_ns: int = 7, view: View | None = VIEW
) -> SensedFrame:
    outputs = SensorOutputs(network, VIEW, tuple(map(SensorTensor.of, tensors)), 12_000_000)
    return SensedFrame.of(frame(stamp_ns), view, outputs)


def frame(stamp_ns: int = 7) -> Frame:
    return Frame(np.zeros((480, 640, 3), np.uint8), "bgr8", stamp_ns, "optical")


def detect(one: Frame, **values: Any) -> Any:
    settings = InferenceSettings.from_values({"transform": "sensor", **values})
    return load_sensor_detector(settings).detect(one, settings)


def items(one: Frame, **values: Any) -> list[tuple[str, float]]:
    return [(item.label, round(item.score, 2)) for item in detect(one, **values).detections.items]


def test_what_the_network_found_is_where_it_is_in_the_picture() -> None:
    found = detect(sensed(sensor_tensors("cat")))

    (cat,) = found.detections.items
    assert (cat.label, cat.class_id) == ("Cat", 7)
    assert iou(cat.bbox, CAT) >= 0.6
    assert (found.detections.stamp_ns, found.detections.frame_id) == (7, "optical")
    assert (found.detections.width, found.detections.height) == (640, 480)
    assert found.inference_ns == 12_000_000


BOX = np.array([[0.25, 0.5, 0.75, 1.0]])
XY = BOX[:, [1, 0, 3, 2]]


@pytest.mark.parametrize(
    ("boxes", "values", "task"),
    [
        (BOX, {"bbox_order": "yx"}, "auto"),
        (BOX, {"bbox_order": ""}, "auto"),
        (XY, {"bbox_order": "xy"}, "auto"),
        (XY, {"bbox_order": ""}, "yolov8"),
        (BOX, {"bbox_order": "yx"}, "yolov8"),
        (BOX * 300, {"bbox_normalization": True}, "auto"),
        (BOX * 300, {}, "auto"),
        (BOX * 300, {"task": ""}, "ssd"),
        (XY * (320, 240, 320, 240), {"input_size": (320, 240), "bbox_order": "xy"}, "auto"),
    ],
    ids=["yx", "said nothing", "xy", "task", "said yx", "pixels", "not said to be pixels", "no task", "not square"],
)
def test_boxes_are_read_in_the_order_and_the_unit_of_the_network(boxes: Any, values: dict[str, Any], task: str) -> None:
    network = replace(PETS, **values)
    (item,) = detect(sensed([boxes, [0.9], [7.0], [1.0]], network), task=task).detections.items

    assert [item.bbox.x0, item.bbox.y0, item.bbox.x1, item.bbox.y1] == pytest.approx([320, 120, 640, 360], abs=1e-3)


def test_the_count_is_not_needed() -> None:
    assert items(sensed([BOX, [0.9], [7.0]])) == [("Cat", 0.9)]


MANY = [np.tile(BOX, (4, 1)), [0.9, 0.8, 0.7, 0.3], [7.0, 3.0, 7.0, 3.0], [4.0]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [("Cat", 0.9), ("Person", 0.8), ("Cat", 0.7)]),
        ({"threshold": 0.75}, [("Cat", 0.9), ("Person", 0.8)]),
        ({"class_filter": ["person"], "threshold": 0.1}, [("Person", 0.8), ("Person", 0.3)]),
        ({"class_filter": ["7"]}, [("Cat", 0.9), ("Cat", 0.7)]),
        ({"max_detections": 1}, [("Cat", 0.9)]),
    ],
    ids=str,
)
def test_parameters_choose_as_ever(values: dict[str, Any], expected: list[tuple[str, float]]) -> None:
    assert items(sensed(MANY), **values) == expected


def test_what_the_picture_does_not_show_takes_nobodys_place() -> None:
    crop = (0, 0, 1014, 760)  # the upper left quarter of the width and height
    zoomed = sensed(
        [[[0.6, 0.6, 0.9, 0.9], [0.1, 0.1, 0.2, 0.2]], [0.9, 0.8], [3.0, 7.0]], view=View(WHOLE[2:], crop, WHOLE)
    )

    assert items(zoomed, max_detections=1) == [("Cat", 0.8)]


def test_a_label_file_replaces_the_networks_names(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(f"number {count}" for count in range(8)))

    assert items(sensed(sensor_tensors("cat")), labels=str(file)) == [("number 7", 0.85)]


def test_a_class_without_a_name_goes_by_its_number() -> None:
    assert items(sensed([BOX, [0.9], [70.0]])) == [("70", 0.9)]


NAMES = ("background", *(f"thing {number}" for number in range(1000)))


@pytest.mark.parametrize(
    ("classes", "label"), [(1000, "thing 42"), (1001, "thing 41")], ids=["without background", "with background"]
)
@pytest.mark.parametrize("softmax", [False, True])
def test_a_classification_names_the_whole_picture(classes: int, label: str, softmax: bool) -> None:
    scores = np.zeros(classes)
    scores[42] = 20.0 if softmax else 0.875
    network = SensorNetwork("net", "classification", (224, 224), NAMES, softmax=softmax)
    (item,) = detect(sensed([scores], network)).detections.items

    assert (item.label, round(item.score, 3)) == (label, 1.0 if softmax else 0.875)
    assert item.bbox == BoundingBox(0, 0, 640, 480)


def test_logits_that_look_like_scores_are_logits_where_the_network_says_so() -> None:
    network = SensorNetwork("net", "classification", (224, 224), softmax=True)

    assert items(sensed([[0.9, 0.1]], network), threshold=0.1) == [("0", 0.69), ("1", 0.31)]  # e^0.8 : 1


def test_a_segmentation_is_a_map_of_the_picture() -> None:
    network = SensorNetwork("deeplab", "segmentation", (256, 256), ("background", "person"))
    (mask,) = sensor_tensors("astronaut")
    found = detect(sensed([mask], network))

    (person,) = found.detections.items
    assert (person.label, person.score) == ("person", 1.0)
    assert found.class_map.tolist() == mask.tolist()


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (SensorNetwork("nanodet_plus", "object detection", (416, 416), post_processing="nanodet"), [(3598, 112)]),
        (SensorNetwork("yolov8n", "object detection", (640, 640)), [(4, 8400), (80, 8400)]),
        (SensorNetwork("posenet", "pose estimation", (481, 353)), [(23, 31, 34), (23, 31, 17), (23, 31, 64)]),
        (SensorNetwork("higherhrnet", "pose estimation", (288, 384)), [(144, 192, 17), (20, 4), (20,)]),
        (SensorNetwork("odd", "", (0, 0)), [(3, 3, 3, 3)]),
        (SensorNetwork("pets", "classification", (300, 300)), [(100, 4), (100,), (100,)]),
    ],
    ids=lambda value: value.name if isinstance(value, SensorNetwork) else "",
)
def test_a_network_that_is_not_read_here_is_named_with_what_is(
    network: SensorNetwork, shapes: list[tuple[int, ...]]
) -> None:
    with pytest.raises(ModelError) as error:
        detect(sensed([np.zeros(shape) for shape in shapes], network))

    text = str(error.value)
    assert text.startswith(f"the network {network.name}")
    assert "x".join(map(str, shapes[0])) in text
    assert "boxes, scores and classes" in text
    assert "\n" not in text


def test_a_camera_that_does_not_tell_what_it_shows_cannot_be_used() -> None:
    with pytest.raises(ModelError, match="pets_pp cannot be placed: the camera tells nothing of its geometry"):
        detect(sensed(MANY, view=None))


def test_a_smaller_picture_is_refused() -> None:
    with pytest.raises(SettingError) as error:
        load_sensor_detector(InferenceSettings(transform="sensor", lores_topic="lores/image_raw"))

    assert str(error.value) == (
        "parameter 'lores_topic' = 'lores/image_raw': makes no sense with transform:=sensor, whose network sees what "
        "the sensor sees; leave it empty"
    )


class Sequel:
    """A detector that sees one frame after the other; what it found, and whether in that frame."""

    def __init__(self) -> None:
        self.detector = SensorDetector("auto", None)

    def see(self, one: Frame) -> tuple[list[str], bool]:
        found = self.detector.detect(one, InferenceSettings(transform="sensor"))
        return [item.label for item in found.detections.items], found.measured


def test_a_frame_of_which_the_sensor_tells_nothing_shows_what_was_found_last_for_a_while() -> None:
    sequel = Sequel()

    assert sequel.see(sensed([], stamp_ns=0)) == ([], False)
    assert sequel.see(sensed([BOX, [0.9], [7.0]], stamp_ns=1)) == (["Cat"], True)
    assert sequel.see(sensed([], stamp_ns=2)) == (["Cat"], False)
    assert sequel.see(frame(SHOWN_NS)) == (["Cat"], False)
    assert sequel.see(frame(SHOWN_NS + 2)) == ([], False)
    assert sequel.see(sensed([BOX, [0.1], [7.0]], stamp_ns=SHOWN_NS + 3)) == ([], True)
    assert sequel.see(sensed([], stamp_ns=SHOWN_NS + 4)) == ([], False)


def test_another_network_is_read_anew() -> None:
    sequel = Sequel()
    sequel.see(sensed(MANY))
    other = SensorNetwork("net", "classification", (224, 224), ("this", "that"))

    assert sequel.see(sensed([[0.1, 0.9]], other)) == (["that"], True)
    assert (sequel.detector.name, sequel.detector.task_name) == ("net", "classification")
    assert sequel.detector.labels.names == {0: "this", 1: "that"}


class Rig:
    """An engine with transform sensor, without a TFLite runtime."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(detector, "Model")
        self.results: queue.Queue[InferenceResult] = queue.Queue()
        self.engine = Engine(InferenceSettings(transform="sensor"), self.results.put)

    def see(self, one: Frame) -> InferenceResult:
        self.engine.put(one)
        return self.results.get(timeout=LIMIT_S)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_the_engine_draws_them_and_tells_the_networks_time_and_name(rig: Rig) -> None:
    with rig.engine:
        result = rig.see(sensed(MANY))
        figures = rig.engine.snapshot()

    assert result.detections is not None
    assert [item.label for item in result.detections.items] == ["Cat", "Person", "Cat"]
    assert result.drawn
    assert result.frame.pixels.any()
    assert (result.inference_ns, figures.inference_ms_p50) == (12_000_000, 12.0)
    assert (figures.model, figures.task) == ("pets_pp", "ssd")
    assert rig.engine.labels.name(7) == "Cat"


def test_a_frame_without_outputs_has_no_detections_of_its_own(rig: Rig) -> None:
    with rig.engine:
        rig.see(sensed(MANY, stamp_ns=1))
        result = rig.see(sensed([], stamp_ns=2))
        figures = rig.engine.snapshot()

    assert result.detections is None
    assert result.frame.stamp_ns == 2
    assert result.frame.pixels.any()  # so that they do not flicker
    assert figures.inference_ms_p95 == 12.0


def test_frames_of_a_network_that_is_not_read_pass_and_one_error_says_why(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    network = SensorNetwork("nanodet_plus", "object detection", (416, 416), post_processing="nanodet")
    with rig.engine:
        results = [rig.see(sensed([np.zeros((3598, 112))], network, stamp)) for stamp in range(3)]
        figures = rig.engine.snapshot()

    assert not any(result.frame.pixels.any() or result.findings for result in results)
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert [error[:62] for error in errors] == ["Frames pass through unchanged: the network nanodet_plus, objec"]
    assert figures.failures == 3
    assert figures.model == "nanodet_plus"


def test_settings_change_while_it_runs(rig: Rig) -> None:
    with rig.engine:
        rig.see(sensed(MANY))
        rig.engine.apply(replace(rig.engine.settings, threshold=0.85))
        first = rig.see(sensed(MANY))
        rig.engine.apply(replace(rig.engine.settings, enabled=False))
        second = rig.see(sensed(MANY))

    assert first.detections is not None
    assert len(first.detections.items) == 1
    assert second.detections is None
    assert not second.frame.pixels.any()

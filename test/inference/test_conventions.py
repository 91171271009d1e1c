"""Every output convention, in every number type, from made-up models: what is found is exact.

Two objects are in a picture of 64x32 pixels, whatever the convention says about them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.detection import Detection
from picam_webrtc.errors import SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.blazeface import KEYPOINTS
from picam_webrtc.inference.candidates import suppress
from picam_webrtc.inference.detector import Detector, load_model
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.preprocess import Preprocessor, pixel_table
from picam_webrtc.inference.ssd import ssd_anchors
from picam_webrtc.inference.tasks import Task
from picam_webrtc.inference.tensors import Array, ImageInput, Tensor
from picam_webrtc.inference.whole_picture import POSE_KEYPOINTS
from picam_webrtc.inference.yolo import YoloEndToEnd
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.made_models import Made, Postprocess, Recipe, made_metadata, made_model

PICTURE = Frame(np.zeros((32, 64, 3), np.uint8), "bgr8", 42, "a_frame")
LARGE, SMALL = (16.0, 8.0, 48.0, 24.0), (0.0, 0.0, 16.0, 16.0)
"""The objects, in pixels of the picture: class 2 with score 0.875, class 0 with score 0.625."""

LARGE_STRETCHED, SMALL_STRETCHED = (0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.25, 0.5)
LARGE_BOXED, SMALL_BOXED = (0.25, 0.375, 0.75, 0.625), (0.0, 0.25, 0.25, 0.5)
"""The same in fractions of a square input: with the picture stretched, and in a letterbox."""

CLASSES = 3
CELLS = 16 + 4 + 1
"""Places of a YOLO model with an input of 32x32."""


@dataclass(frozen=True)
class NumberType:
    dtype: Any
    quantised: bool = False

    def made(self, values: Any, name: str, step: float) -> Made:
        """A tensor of these numbers, which are multiples of `step`."""
        array = np.asarray(values, np.float64)
        if not self.quantised:
            return Made(array, name, self.dtype)
        return Made(array, name, self.dtype, step, 0 if self.dtype is np.uint8 else -128)


NUMBER_TYPES = {
    "float32": NumberType(np.float32),
    "float16": NumberType(np.float16),
    "uint8": NumberType(np.uint8, quantised=True),
    "int8": NumberType(np.int8, quantised=True),
}
STEP = 1 / 128


def yx(box: tuple[float, ...]) -> tuple[float, ...]:
    return box[1], box[0], box[3], box[2]


def centered(box: tuple[float, ...]) -> tuple[float, ...]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]


def postprocessed(numbers: NumberType) -> list[Made]:
    """Boxes, classes, scores, count, with a place that the count leaves out."""
    boxes = [[yx(LARGE_STRETCHED), yx(SMALL_STRETCHED), (0, 0, 1, 1)]]
    return [
        numbers.made(boxes, "a", STEP),
        numbers.made([[2, 0, 1]], "b", 1),
        numbers.made([[0.875, 0.625, 0.75]], "c", STEP),
        numbers.made([2], "d", 1),
    ]


def ssd_tf1_order(numbers: NumberType) -> Recipe:
    return Recipe(postprocessed(numbers))


def ssd_tf2_order(numbers: NumberType) -> Recipe:
    boxes, classes, scores, count = postprocessed(numbers)
    return Recipe([scores, boxes, count, classes])


def ssd_by_signature(numbers: NumberType) -> Recipe:
    boxes, classes, scores, count = postprocessed(numbers)
    return Recipe([classes, boxes, count, scores], signature=("output_2", "output_3", "output_0", "output_1"))


def ssd_by_metadata(numbers: NumberType) -> Recipe:
    boxes, classes, scores, count = postprocessed(numbers)
    names = ("number of detections", "score", "category", "location")
    return Recipe([count, scores, classes, boxes], metadata=made_metadata(names))


def ssd_by_operator_names(numbers: NumberType) -> Recipe:
    boxes, classes, scores, count = postprocessed(numbers)
    for made, suffix in ((boxes, ""), (classes, ":1"), (scores, ":2"), (count, ":3")):
        made.name = f"TFLite_Detection_PostProcess{suffix}"
    return Recipe([count, classes, boxes, scores])


def yolov5(numbers: NumberType) -> Recipe:
    rows = np.zeros((1, 3 * CELLS, 5 + CLASSES))
    rows[0, 7] = (*centered(LARGE_BOXED), 0.875, 0, 0, 1)
    rows[0, 30] = (*centered(SMALL_BOXED), 1, 0.625, 0, 0)
    rows[0, 31] = (*centered(SMALL_BOXED), 0.75, 0.75, 0, 0)
    return Recipe([numbers.made(rows, "Identity", STEP)])


def yolov5_pixels(numbers: NumberType) -> Recipe:
    recipe = yolov5(numbers)
    values = recipe.outputs[0].values
    values[0, :, :4] *= 32
    return Recipe([numbers.made(values, "Identity", 1 / 8)])


def yolov8_rows() -> Array:
    rows = np.zeros((1, CELLS, 4 + CLASSES))
    rows[0, 7] = (*centered(LARGE_BOXED), 0, 0, 0.875)
    rows[0, 8] = (*centered(LARGE_BOXED), 0, 0, 0.75)
    rows[0, 20] = (*centered(SMALL_BOXED), 0.625, 0.5, 0)
    return rows


def yolov8(numbers: NumberType) -> Recipe:
    return Recipe([numbers.made(yolov8_rows().transpose(0, 2, 1), "Identity", STEP)])


def yolov8_transposed(numbers: NumberType) -> Recipe:
    return Recipe([numbers.made(yolov8_rows(), "Identity", STEP)])


def yolov8_channels_first(numbers: NumberType) -> Recipe:
    return replace(yolov8(numbers), input_shape=(1, 3, 32, 32))


def yolo_end_to_end(numbers: NumberType) -> Recipe:
    rows = np.zeros((1, 5, 6))
    rows[0, 0] = (*(32 * value for value in LARGE_BOXED), 0.875, 2)
    rows[0, 1] = (*(32 * value for value in SMALL_BOXED), 0.625, 0)
    return Recipe([numbers.made(rows, "Identity", 1 / 8)])


def yolo_end_to_end_fractions(numbers: NumberType) -> Recipe:
    rows = np.zeros((1, 5, 6))
    rows[0, 0] = (*LARGE_BOXED, 0.875, 2)
    rows[0, 1] = (*SMALL_BOXED, 0.625, 0)
    return Recipe([numbers.made(rows, "Identity", 1 / 64)])


DETECTORS: dict[str, tuple[Callable[[NumberType], Recipe], str]] = {
    recipe.__name__: (recipe, task)
    for recipe, task in (
        (ssd_tf1_order, "ssd"),
        (ssd_tf2_order, "ssd"),
        (ssd_by_signature, "ssd"),
        (ssd_by_metadata, "ssd"),
        (ssd_by_operator_names, "ssd"),
        (yolov5, "yolov5"),
        (yolov5_pixels, "yolov5"),
        (yolov8, "yolov8"),
        (yolov8_transposed, "yolov8"),
        (yolov8_channels_first, "yolov8"),
        (yolo_end_to_end, "yolo_end_to_end"),
        (yolo_end_to_end_fractions, "yolo_end_to_end"),
    )
}

Look = Callable[..., tuple[str, Findings]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Load a made model, look at the picture, and return the recognised task and the findings."""

    def look_at(recipe: Recipe, picture: Frame = PICTURE, **values: Any) -> tuple[str, Findings]:
        path = tmp_path / "made.tflite"
        path.write_bytes(made_model(recipe))
        settings = InferenceSettings.from_values({"model": str(path), "threshold": 0.5, **values})
        detector = load_model(settings)
        return detector.task_name, detector.detect(picture, settings)

    return look_at


def corners(detection: Detection) -> tuple[float, ...]:
    return detection.bbox.x0, detection.bbox.y0, detection.bbox.x1, detection.bbox.y1


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
@pytest.mark.parametrize(("recipe", "task"), DETECTORS.values(), ids=DETECTORS)
def test_both_objects_are_where_they_are(
    look: Look, recipe: Callable[[NumberType], Recipe], task: str, numbers: NumberType
) -> None:
    recognised, findings = look(recipe(numbers))

    assert recognised == task
    large, small = findings.detections.items
    assert (large.class_id, large.label, large.score, corners(large)) == (2, "2", 0.875, LARGE)
    assert (small.class_id, small.label, small.score, corners(small)) == (0, "0", 0.625, SMALL)
    assert (findings.detections.stamp_ns, findings.detections.frame_id) == (42, "a_frame")
    assert (findings.detections.width, findings.detections.height) == (64, 32)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0)])
def test_the_postprocessing_operator_itself_tells_its_outputs(look: Look, order: tuple[int, ...]) -> None:
    anchors = np.array([(0.5, 0.5, 0.5, 0.5), (0.25, 0.125, 0.5, 0.25)])
    scores = np.array([[(0, 0.1, 0, 0.875), (0, 0.625, 0, 0)]])
    operator = Postprocess(np.zeros((1, 2, 4)), scores, anchors, order)

    task, findings = look(Recipe([], postprocess=operator))

    large, small = findings.detections.items
    assert task == "ssd"
    assert (large.class_id, corners(large)) == (2, LARGE)
    assert (small.class_id, corners(small)) == (0, SMALL)


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
@pytest.mark.parametrize("deltas_first", [True, False])
def test_a_raw_ssd_finds_its_anchors(look: Look, numbers: NumberType, deltas_first: bool) -> None:
    anchors = ssd_anchors(32, 32)
    logits = np.zeros((1, len(anchors), 1 + CLASSES))
    logits[0, :, 0] = 7
    logits[0, 4, 3] = 2
    outputs = [
        numbers.made(np.zeros((1, len(anchors), 4)), "box_encodings", 1),
        numbers.made(logits, "class_predictions", 1),
    ]

    task, findings = look(Recipe(outputs if deltas_first else outputs[::-1]), threshold=0.6)

    (found,) = findings.detections.items
    y, x, height, width = anchors[4]
    assert task == "ssd_raw"
    assert found.class_id == 2
    assert found.score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    wanted = ((x - width / 2) * 64, (y - height / 2) * 32, (x + width / 2) * 64, (y + height / 2) * 32)
    assert corners(found) == pytest.approx([max(0, value) for value in wanted], abs=1e-5)


def test_the_anchors_of_a_raw_ssd_are_those_of_the_reference() -> None:
    anchors = ssd_anchors(300, 300)

    assert anchors.shape == (1917, 4)
    assert anchors[0].tolist() == pytest.approx([0.5 / 19, 0.5 / 19, 0.1, 0.1])
    assert anchors[1].tolist() == pytest.approx([0.5 / 19, 0.5 / 19, 0.2 / 2**0.5, 0.2 * 2**0.5])
    assert anchors[-1].tolist() == pytest.approx([0.5, 0.5, 0.95**0.5, 0.95**0.5])
    assert len(ssd_anchors(320, 320)) == 2034


def test_a_raw_ssd_moves_and_scales_its_anchors(look: Look) -> None:
    anchors = ssd_anchors(32, 32)
    deltas = np.zeros((1, len(anchors), 4))
    y, x, height, width = anchors[0]
    deltas[0, 0] = (
        10 * (0.5 - y) / height,
        10 * (0.5 - x) / width,
        5 * np.log(0.5 / height),
        5 * np.log(0.5 / width),
    )
    logits = np.full((1, len(anchors), 2), -9.0)
    logits[0, 0, 1] = 3

    _, findings = look(Recipe([Made(deltas, "deltas"), Made(logits, "logits")]))

    assert corners(findings.detections.items[0]) == pytest.approx(LARGE, abs=1e-4)


def face_outputs(numbers: NumberType, count: int, row: int, size: int, offset: float) -> list[Made]:
    """A face in the middle of an input of that size, key points all there; the anchor lies `offset` pixels further."""
    regressors = np.zeros((1, count, 16))
    regressors[0, row] = (-offset, -offset, size / 2, size / 4, *([-offset] * 12))
    logits = np.full((1, count, 1), -8.0)
    logits[0, row] = 3
    step = 1.0 if numbers.quantised else 0.0
    # Negative numbers need a zero point above 0 in unsigned bytes.
    zero_point = 100 if numbers.dtype is np.uint8 else 0
    return [
        Made(regressors, "regressors", numbers.dtype, step, zero_point),
        Made(logits, "classificators", numbers.dtype, step, zero_point),
    ]


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
@pytest.mark.parametrize("regressors_first", [True, False])
@pytest.mark.parametrize(("count", "row", "offset"), [(896, 2 * (8 * 16 + 8), 4), (2304, 24 * 48 + 24, 2)])
def test_blazeface_finds_a_face_and_its_key_points(
    look: Look, numbers: NumberType, count: int, row: int, offset: float, regressors_first: bool
) -> None:
    size = {896: 128, 2304: 192}[count]
    outputs = face_outputs(numbers, count, row, size, offset)

    task, findings = look(Recipe(outputs if regressors_first else outputs[::-1], (1, size, size, 3)))

    (face,) = findings.detections.items
    assert task == "blazeface"
    assert (face.class_id, face.label) == (0, "face")
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)
    assert corners(face) == pytest.approx(LARGE, abs=0.05)
    assert [point.name for point in face.keypoints] == list(KEYPOINTS)
    assert all((point.x, point.y) == pytest.approx((32, 16), abs=0.05) for point in face.keypoints)


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 1, 4)])
def test_a_classification_covers_the_picture(look: Look, numbers: NumberType, shape: tuple[int, ...]) -> None:
    scores = np.array([0.625, 0.0, 0.875, 0.125]).reshape(shape)

    task, findings = look(Recipe([numbers.made(scores, "scores", STEP)]))

    assert task == "classification"
    assert [(found.class_id, found.score) for found in findings.detections.items] == [(2, 0.875), (0, 0.625)]
    assert all(corners(found) == (0, 0, 64, 32) for found in findings.detections.items)


def test_logits_of_a_classification_become_probabilities(look: Look) -> None:
    _, findings = look(Recipe([Made(np.array([[0.0, np.log(3.0) + 2, 2.0, -50.0]]), "logits")]), threshold=0.2)

    assert findings.detections.items[0].class_id == 1
    assert findings.detections.items[0].score == pytest.approx(3 * np.e**2 / (4 * np.e**2 + 1), abs=1e-5)


def seen_region() -> Array:
    region = np.zeros((8, 8), bool)
    region[2:6, 2:6] = True
    return region


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
def test_a_segmentation_finds_the_region_of_each_class(look: Look, numbers: NumberType) -> None:
    scores = np.zeros((1, 8, 8, CLASSES))
    scores[0, :, :, 0] = 0.75
    scores[0, seen_region()] = (0.125, 0, 0.875)

    task, findings = look(Recipe([numbers.made(scores, "scores", STEP)]))

    (found,) = findings.detections.items
    assert task == "segmentation"
    assert (found.class_id, found.score, corners(found)) == (2, 0.875, LARGE)
    assert findings.class_map is not None
    assert (findings.class_map == np.where(seen_region(), 2, 0)).all()


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
def test_a_mask_of_one_channel_is_foreground_where_it_is_half_sure(look: Look, numbers: NumberType) -> None:
    mask = np.where(seen_region(), 0.875, 0.125)[None, :, :, None]

    task, findings = look(Recipe([numbers.made(mask, "mask", STEP)]))

    (found,) = findings.detections.items
    assert task == "segmentation"
    assert (found.class_id, found.score, corners(found)) == (1, 0.875, LARGE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64])
def test_a_map_of_class_numbers_is_a_segmentation(look: Look, dtype: Any) -> None:
    class_map = np.where(seen_region(), 2, 0)[None]

    task, findings = look(Recipe([Made(class_map, "classes", dtype)]))

    (found,) = findings.detections.items
    assert task == "segmentation"
    assert (found.class_id, found.score, corners(found)) == (2, 1.0, LARGE)


def test_logits_of_a_segmentation_become_probabilities(look: Look) -> None:
    logits = np.zeros((1, 8, 8, 2))
    logits[0, seen_region(), 1] = np.log(3.0)
    logits[0, ~seen_region(), 0] = 5.0

    _, findings = look(Recipe([Made(logits, "logits")]))

    assert findings.detections.items[0].score == pytest.approx(0.75, abs=1e-5)
    assert corners(findings.detections.items[0]) == LARGE


def test_a_letterboxed_class_map_loses_its_bars(look: Look) -> None:
    mask = np.zeros((1, 8, 8, 1))
    mask[0, 3:5, 2:6] = 1

    _, findings = look(Recipe([Made(mask, "mask")]), resize="letterbox")

    assert corners(findings.detections.items[0]) == LARGE
    assert findings.class_map is not None
    assert findings.class_map.shape == (4, 8)


@pytest.mark.parametrize("numbers", NUMBER_TYPES.values(), ids=NUMBER_TYPES)
def test_movenet_finds_a_person_and_seventeen_points(look: Look, numbers: NumberType) -> None:
    points = np.tile((0.5, 0.5, 0.75), (1, 1, 17, 1))
    points[0, 0, 0] = (LARGE_BOXED[1], LARGE_BOXED[0], 0.75)
    points[0, 0, 16] = (LARGE_BOXED[3], LARGE_BOXED[2], 0.75)

    task, findings = look(Recipe([numbers.made(points, "keypoints", STEP)]))

    (person,) = findings.detections.items
    assert task == "pose"
    assert (person.label, person.score, corners(person)) == ("person", 0.75, LARGE)
    assert [point.name for point in person.keypoints] == list(POSE_KEYPOINTS)
    assert (person.keypoints[0].x, person.keypoints[0].y, person.keypoints[0].score) == (16, 8, 0.75)
    assert (person.keypoints[16].x, person.keypoints[16].y) == (48, 24)


def test_a_pose_of_nobody_is_no_detection(look: Look) -> None:
    _, findings = look(Recipe([Made(np.zeros((1, 1, 17, 3)), "keypoints")]))

    assert findings.detections.items == ()


UNKNOWN = {
    "two images": (Recipe([Made(np.zeros((2, 5)), "out")]), "no known convention fits"),
    "a sound": (Recipe([Made(np.zeros((1, 5)), "out")], (1, 16000)), "takes no single picture"),
    "a grid of features": (
        Recipe([Made(np.zeros((1, 100, 7)), "out")]),
        r"out float32\[1x100x7\].*expected ssd: boxes",
    ),
}


@pytest.mark.parametrize(("recipe", "complaint"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_model_is_refused_with_its_tensors_and_what_was_expected(
    look: Look, recipe: Recipe, complaint: str
) -> None:
    with pytest.raises(SettingError, match=complaint) as refused:
        look(recipe)

    assert "parameter 'model'" in str(refused.value)
    assert "inputs: image float32" in str(refused.value)


def test_a_task_that_does_not_fit_is_refused_as_the_parameter_it_is(look: Look) -> None:
    with pytest.raises(SettingError, match=r"parameter 'task' = 'pose': .*expected pose: \[1,1,17,3\]"):
        look(yolov8(NUMBER_TYPES["float32"]), task="pose")


def test_a_wanted_task_overrides_what_the_shape_suggests(look: Look) -> None:
    rows = np.zeros((1, 50, 5 + CLASSES))
    rows[0, 3] = (*centered(LARGE_BOXED), 0.875, 0, 0, 1)

    task, findings = look(Recipe([Made(rows, "Identity")]), task="yolov5")

    assert task == "yolov5"
    assert corners(findings.detections.items[0]) == LARGE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_none_are_no_detections(look: Look, value: float) -> None:
    rows = yolov8_rows()
    rows[0, 7, 0] = value
    rows[0, 8, 0] = value

    _, findings = look(Recipe([Made(rows, "Identity")]))

    for found in findings.detections.items:
        assert np.isfinite(corners(found)).all()


coordinates = st.floats(-3, 3, width=32) | st.sampled_from([float("nan"), float("inf"), float("-inf"), 3e38])
findings_of_a_model = st.lists(
    st.tuples(coordinates, coordinates, coordinates, coordinates, st.floats(0, 1, width=32), st.integers(0, 5)),
    max_size=5,
)


class PutsOut:
    """A model whose output is given."""

    def __init__(self, rows: Array) -> None:
        self._rows = rows

    def input_view(self) -> Array:
        return np.zeros((1, 32, 32, 3), np.float32)

    def run(self) -> list[Array]:
        return [self._rows[None]]


@given(findings_of_a_model, st.integers(1, 700), st.integers(1, 700), st.booleans())
def test_boxes_lie_inside_the_picture_whatever_a_model_says(
    rows: list[tuple[float, ...]], width: int, height: int, letterbox: bool
) -> None:
    source = ImageInput(Tensor(0, "image", (1, 32, 32, 3), np.dtype(np.float32)), 32, 32, 3, planar=False)
    preprocessor = Preprocessor(source, pixel_table(source.tensor, 0, 1, given=False), letterbox)
    task = Task(YoloEndToEnd(32, 32), (0, 1), suppress=suppress)
    model = PutsOut(np.array(rows, np.float32).reshape(-1, 6))
    detector = Detector("made", model, task, Labels(), preprocessor)
    picture = Frame(np.zeros((height, width, 3), np.uint8), "bgr8", 1, "")

    detections = detector.detect(picture, InferenceSettings(threshold=0.0)).detections

    assert len(detections.items) <= len(rows)
    for found in detections.items:
        x0, y0, x1, y1 = corners(found)
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert 0 <= found.score <= 1


def test_a_class_filter_takes_names_and_numbers(look: Look, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("Cat\nDog\nPerson\n")
    recipe = yolov8(NUMBER_TYPES["float32"])

    for wanted, left in ((("person",), ["Person"]), (("0",), ["Cat"]), (("dog", "1"), []), ((), ["Person", "Cat"])):
        _, findings = look(recipe, labels=str(labels), class_filter=wanted)
        assert [found.label for found in findings.detections.items] == left


def test_the_best_detections_are_kept_when_there_are_too_many(look: Look) -> None:
    _, findings = look(yolov8(NUMBER_TYPES["float32"]), max_detections=1)

    assert [found.class_id for found in findings.detections.items] == [2]


def test_boxes_are_in_pixels_of_the_picture_drawn_on_not_of_the_frame_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "made.tflite"
    path.write_bytes(made_model(yolov8(NUMBER_TYPES["float32"])))
    settings = InferenceSettings(model=str(path))
    small = replace(PICTURE, pixels=np.zeros((16, 32, 3), np.uint8))

    findings = load_model(settings).detect(small, settings, PICTURE)

    assert corners(findings.detections.items[0]) == LARGE
    assert findings.detections.width == 64

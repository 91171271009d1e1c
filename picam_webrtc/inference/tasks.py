"""Which convention a model's outputs follow, told from the model itself: `CONVENTIONS` has them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from picam_webrtc.errors import ModelError
from picam_webrtc.inference.blazeface import KEYPOINTS, LAYERS, BlazeFace
from picam_webrtc.inference.candidates import Candidates, Decoder, blend, suppress
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.ssd import PostProcessed, RawSsd, ssd_anchors
from picam_webrtc.inference.tensors import ImageInput, Signature, Tensor
from picam_webrtc.inference.whole_picture import POSE_KEYPOINTS, Classification, Pose, Segmentation
from picam_webrtc.inference.yolo import YoloEndToEnd, YoloV5, YoloV8

Normalization = tuple[float, float]
"""Mean and standard deviation in pixel values."""

SYMMETRIC: Normalization = (127.5, 127.5)
UNIT: Normalization = (0.0, 255.0)
PIXELS: Normalization = (0.0, 1.0)

YOLO_STRIDES = (8, 16, 32)
MAX_END_TO_END_ROWS = 1000
FACE_OVERLAP = 0.3
"""IoU from which MediaPipe counts two faces as one."""


@dataclass(frozen=True, slots=True)
class Task:
    """How a model is fed and read. `normalization` is what such models are usually trained with; `name` is that of the
    convention.
    """

    decoder: Decoder
    normalization: Normalization
    resize: str = "stretch"
    suppress: Callable[[Candidates, float, int], Candidates] | None = None
    classes: int = 0
    labels: Labels = field(default_factory=Labels)
    keypoints: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked of a recogniser. When `forced`, a doubtful fit is taken: the user has said so."""

    signature: Signature
    source: ImageInput
    forced: bool


def recognise(signature: Signature, source: ImageInput, wanted: str = "auto") -> Task:
    """The task of a model, the first that fits, or the `wanted` one. Raises ModelError, saying what was expected."""
    case = Case(signature, source, forced=wanted != "auto")
    conventions = CONVENTIONS if wanted == "auto" else {wanted: CONVENTIONS[wanted]}
    for name, convention in conventions.items():
        task = convention.recognise(case)
        if task is not None:
            return replace(task, name=name)
    expected = "; ".join(f"{name}: {convention.outputs}" for name, convention in conventions.items())
    raise ModelError(f"no known convention fits its tensors ({signature}); expected {expected}")


def _ssd(case: Case) -> Task | None:
    order = case.signature.postprocess or _named_order(case.signature) or _shaped_order(case.signature.outputs)
    if order is None:
        return None
    return Task(PostProcessed(*order), SYMMETRIC, classes=case.signature.postprocess_classes)


def _named_order(signature: Signature) -> tuple[int, int, int, int] | None:
    """By the names of TFLite metadata, or by those the post-processing operator gives its outputs."""
    metadata = [name.lower() for name in signature.metadata.output_names]
    tensors = [tensor.name for tensor in signature.outputs]
    for names, wanted in (
        (metadata, ("location", "category", "score", "number of detections")),
        (tensors, tuple(f"TFLite_Detection_PostProcess{suffix}" for suffix in ("", ":1", ":2", ":3"))),
        (tensors, tuple(f"StatefulPartitionedCall:{number}" for number in (3, 2, 1, 0))),
    ):
        if len(names) == 4 and set(names) == set(wanted):
            boxes, classes, scores, count = (names.index(name) for name in wanted)
            return boxes, classes, scores, count
    return None


def _shaped_order(outputs: tuple[Tensor, ...]) -> tuple[int, int, int, int] | None:
    """By shapes alone: TF1's order begins with the boxes; TF2's is scores, boxes, count, classes."""
    ranks = [len(tensor.shape) for tensor in outputs]
    if sorted(ranks) not in ([0, 2, 2, 3], [1, 2, 2, 3]):
        return None
    boxes, count = ranks.index(3), ranks.index(min(ranks))
    first, second = (place for place, rank in enumerate(ranks) if rank == 2)
    if outputs[boxes].shape[2] != 4 or outputs[first].shape != outputs[second].shape:
        return None
    return (boxes, first, second, count) if boxes == 0 else (boxes, second, first, count)


def _ssd_raw(case: Case) -> Task | None:
    pair = _pair(case.signature.outputs, last=4)
    if pair is None:
        return None
    deltas, logits = pair
    anchors, classes = case.signature.outputs[logits].shape[1:]
    if classes < 2 or anchors != len(ssd_anchors(case.source.width, case.source.height)):
        return None
    decoder = RawSsd(deltas, logits, case.source.width, case.source.height)
    return Task(decoder, SYMMETRIC, suppress=suppress, classes=classes - 1)


def _blazeface(case: Case) -> Task | None:
    pair = _pair(case.signature.outputs, last=4 + 2 * len(KEYPOINTS))
    if pair is None:
        return None
    regressors, logits = pair
    anchors, classes = case.signature.outputs[logits].shape[1:]
    if classes != 1 or anchors not in LAYERS:
        return None
    decoder = BlazeFace(regressors, logits, anchors, case.source.width, case.source.height)
    labels = Labels({0: "face"})
    return Task(decoder, SYMMETRIC, "letterbox", _blend_faces, 1, labels, KEYPOINTS)


def _blend_faces(candidates: Candidates, iou: float, most: int) -> Candidates:
    return blend(candidates, min(iou, FACE_OVERLAP), most)


def _pair(outputs: tuple[Tensor, ...], last: int) -> tuple[int, int] | None:
    """The places of [1, n, last] and [1, n, anything else] among two outputs."""
    if len(outputs) != 2 or any(len(tensor.shape) != 3 or tensor.shape[0] != 1 for tensor in outputs):
        return None
    fitting = [place for place, tensor in enumerate(outputs) if tensor.shape[2] == last]
    if not fitting or outputs[0].shape[1] != outputs[1].shape[1]:
        return None
    # With as many classes as a box has numbers, only names tell the two apart.
    first = next((place for place in fitting if "box" in outputs[place].name.lower()), fitting[0])
    return first, 1 - first


def _single(signature: Signature, rank: int) -> tuple[int, ...] | None:
    """The shape of the only output, when it has that rank and is of one picture."""
    shape = signature.outputs[0].shape if len(signature.outputs) == 1 else ()
    return shape if len(shape) == rank and shape[0] == 1 else None


def _cells(source: ImageInput) -> int:
    return sum((source.width // stride) * (source.height // stride) for stride in YOLO_STRIDES)


def _yolov5(case: Case) -> Task | None:
    shape = _single(case.signature, 3)
    if shape is None or shape[2] < 6:
        return None
    # Three anchors a cell tell version 5 from a transposed version 8, which has one.
    if not case.forced and shape[1] != 3 * _cells(case.source):
        return None
    decoder = YoloV5(case.source.width, case.source.height)
    return Task(decoder, UNIT, "letterbox", suppress, shape[2] - 5)


def _yolo_end_to_end(case: Case) -> Task | None:
    shape = _single(case.signature, 3)
    if shape is None or shape[2] != 6:
        return None
    if not case.forced and (shape[1] > MAX_END_TO_END_ROWS or shape[1] == _cells(case.source)):
        return None
    return Task(YoloEndToEnd(case.source.width, case.source.height), UNIT, "letterbox")


def _yolov8(case: Case) -> Task | None:
    shape = _single(case.signature, 3)
    if shape is None:
        return None
    cells = _cells(case.source)
    transposed = shape[2] < shape[1] if cells not in shape[1:] else shape[1] == cells
    rows, columns = (shape[1], shape[2]) if transposed else (shape[2], shape[1])
    if columns < 5 or (not case.forced and rows != cells):
        return None
    decoder = YoloV8(case.source.width, case.source.height, transposed)
    return Task(decoder, UNIT, "letterbox", suppress, columns - 4)


def _classification(case: Case) -> Task | None:
    shape = case.signature.outputs[0].shape if len(case.signature.outputs) == 1 else ()
    if len(shape) not in (2, 4) or any(length != 1 for length in shape[:-1]) or shape[-1] < 2:
        return None
    return Task(Classification(), SYMMETRIC, classes=shape[-1])


def _segmentation(case: Case) -> Task | None:
    shape = _single(case.signature, 4) or _single(case.signature, 3)
    if shape is None or min(shape[1:3]) < 2:
        return None
    # Of three-dimensional outputs only whole numbers are sure to be a map of classes.
    if len(shape) == 3 and not case.forced and case.signature.outputs[0].dtype.kind not in "iu":
        return None
    channels = shape[3] if len(shape) == 4 else 0
    if channels == 1:
        return Task(Segmentation(), UNIT, classes=2)
    return Task(Segmentation(), SYMMETRIC, classes=channels)


def _pose(case: Case) -> Task | None:
    if _single(case.signature, 4) != (1, 1, len(POSE_KEYPOINTS), 3):
        return None
    return Task(Pose(), PIXELS, "letterbox", classes=1, labels=Labels({0: "person"}), keypoints=POSE_KEYPOINTS)


@dataclass(frozen=True, slots=True)
class Convention:
    """What recognises its models, giving None for another one; and what their `outputs` are, in words."""

    recognise: Callable[[Case], Task | None]
    outputs: str


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        "ssd": Convention(
            _ssd, "boxes [1,n,4], classes [1,n], scores [1,n], count [1], in any order (TFLite_Detection_PostProcess)"
        ),
        "ssd_raw": Convention(
            _ssd_raw, "deltas [1,n,4] and logits [1,n,classes+1], n being the usual anchors of the input's size"
        ),
        "blazeface": Convention(_blazeface, "regressors [1,n,16] and logits [1,n,1], n 896 or 2304"),
        "pose": Convention(_pose, "[1,1,17,3]"),
        "yolov5": Convention(_yolov5, "[1,n,5+classes], n three for each cell of strides 8, 16 and 32"),
        "yolo_end_to_end": Convention(_yolo_end_to_end, "[1,n,6], n at most 1000"),
        "yolov8": Convention(
            _yolov8, "[1,4+classes,n] or [1,n,4+classes], n one for each cell of strides 8, 16 and 32"
        ),
        "classification": Convention(_classification, "[1,classes]"),
        "segmentation": Convention(_segmentation, "[1,h,w,classes] or [1,h,w]"),
    }
)
"""Value of the parameter `task` → convention, in the order of trying: the more one demands, the earlier."""

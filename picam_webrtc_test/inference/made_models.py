"""Models made up for tests: whatever they see, they put out the same numbers, in any convention.

Real models prove that things are found; these prove how outputs are read, to the last digit.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

from picam_webrtc.inference.tensors import Array

TENSOR_TYPES: Mapping[Any, int] = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
}


@dataclass
class Made:
    """A tensor: real numbers, and how they are stored."""

    values: Array
    name: str = ""
    dtype: Any = np.float32
    scale: float = 0.0
    zero_point: int = 0

    def stored(self) -> Array:
        if self.scale == 0:
            return self.values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        numbers = np.rint(self.values / self.scale) + self.zero_point
        clipped: Array = np.clip(numbers, limits.min, limits.max).astype(self.dtype)
        return clipped


@dataclass
class Recipe:
    """A model of one image input and constant outputs.

    `signature` names the outputs. With `postprocess`, the last four outputs are made by a real
    TFLite_Detection_PostProcess operator from deltas, scores and anchors, in the order it says.
    """

    outputs: Sequence[Made]
    input_shape: tuple[int, ...] = (1, 32, 32, 3)
    input_type: Any = np.float32
    input_scale: float = 0.0
    input_zero_point: int = 0
    signature: Sequence[str] = ()
    metadata: bytes = b""
    appended: Mapping[str, str | bytes] = field(default_factory=dict)
    postprocess: "Postprocess | None" = None


@dataclass
class Postprocess:
    deltas: Array
    scores: Array
    anchors: Array
    order: Sequence[int] = (0, 1, 2, 3)


class _Graph:
    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "made for tests"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def tensor(
        self, shape: Sequence[int], dtype: Any, name: str, scale: float = 0, zero_point: int = 0, data: bytes = b""
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape = list(shape)
        tensor.type = TENSOR_TYPES[np.dtype(dtype)]
        tensor.name = name
        tensor.buffer = self.buffer(data) if data else 0
        if scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, array: Array, name: str, scale: float = 0, zero_point: int = 0) -> int:
        return self.tensor(array.shape, array.dtype, name, scale, zero_point, np.ascontiguousarray(array).tobytes())

    def operator(self, builtin: int, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = min(builtin, 127)
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        self.graph.operators.append(operator)
        return operator, code

    def output(self, made: Made) -> int:
        stored = made.stored()
        if stored.dtype == np.float16:
            # As converters store float16 models: half the size in the file, float32 in the graph.
            half = self.constant(stored, f"{made.name}_half")
            output = self.tensor(stored.shape, np.float32, made.name)
            self.operator(schema.BuiltinOperator.CAST, [half], [output])
            return output
        return self.constant(stored, made.name, made.scale, made.zero_point)

    def postprocess(self, made: Postprocess) -> list[int]:
        count = made.deltas.shape[1]
        inputs = [
            self.output(Made(made.deltas, "deltas")),
            self.output(Made(made.scores, "scores")),
            self.constant(made.anchors.astype(np.float32), "anchors"),
        ]
        names = ("boxes", "classes", "scores", "count")
        shapes = ((1, count, 4), (1, count), (1, count), (1,))
        outputs = [
            self.tensor(shape, np.float32, f"detected_{name}") for name, shape in zip(names, shapes, strict=True)
        ]
        operator, code = self.operator(schema.BuiltinOperator.CUSTOM, inputs, outputs)
        code.customCode = "TFLite_Detection_PostProcess"
        operator.customOptions = np.frombuffer(_postprocess_options(count, made.scores.shape[2] - 1), np.uint8)
        return [outputs[place] for place in made.order]


def _postprocess_options(count: int, classes: int) -> bytes:
    options = {
        "max_detections": count,
        "max_classes_per_detection": 1,
        "detections_per_class": 100,
        "use_regular_nms": False,
        "nms_score_threshold": 0.0,
        "nms_iou_threshold": 0.6,
        "num_classes": classes,
        "y_scale": 10.0,
        "x_scale": 10.0,
        "h_scale": 5.0,
        "w_scale": 5.0,
    }
    return bytes(flexbuffers.Dumps(options))


def made_model(recipe: Recipe) -> bytes:
    """The bytes of a .tflite file."""
    graph = _Graph()
    source = graph.tensor(recipe.input_shape, recipe.input_type, "image", recipe.input_scale, recipe.input_zero_point)
    outputs = [graph.output(made) for made in recipe.outputs]
    if recipe.postprocess:
        outputs += graph.postprocess(recipe.postprocess)
    graph.graph.inputs, graph.graph.outputs = [source], outputs
    if recipe.signature:
        graph.model.signatureDefs = [_signature(source, outputs, recipe.signature)]
    if recipe.metadata:
        entry = schema.MetadataT()
        entry.name, entry.buffer = "TFLITE_METADATA", graph.buffer(recipe.metadata)
        graph.model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(graph.model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + (zipped(recipe.appended) if recipe.appended else b"")


def _signature(source: int, outputs: Sequence[int], names: Sequence[str]) -> Any:
    definition = schema.SignatureDefT()
    definition.signatureKey = "serving_default"
    definition.inputs = [_named("input", source)]
    definition.outputs = [_named(name, output) for name, output in zip(names, outputs, strict=True)]
    return definition


def _named(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return archive.getvalue()


def made_metadata(
    output_names: Sequence[str] = (),
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    label_file: str = "",
) -> bytes:
    """TFLite metadata as tflite-support writes it: normalisation at the input, names and a label file at outputs."""
    builder = flatbuffers.Builder(256)
    outputs = [_tensor_metadata(builder, name=name, label_file=label_file) for name in output_names]
    inputs = [_tensor_metadata(builder, mean=mean, std=std)]
    subgraph = _table(builder, {2: _vector(builder, inputs), 3: _vector(builder, outputs)})
    root = _table(builder, {3: _vector(builder, [subgraph])})
    builder.Finish(root, b"M001")
    return bytes(builder.Output())


def _tensor_metadata(
    builder: Any, name: str = "image", mean: Sequence[float] = (), std: Sequence[float] = (), label_file: str = ""
) -> int:
    fields = {0: builder.CreateString(name)}
    if mean:
        options = _table(builder, {0: _floats(builder, mean), 1: _floats(builder, std)})
        fields[4] = _vector(builder, [_table(builder, {1: options}, kinds={0: 1})])
    if label_file:
        file = _table(builder, {0: builder.CreateString(label_file)}, kinds={2: 3})
        fields[6] = _vector(builder, [file])
    return _table(builder, fields)


def _table(builder: Any, offsets: Mapping[int, int], kinds: Mapping[int, int] | None = None) -> int:
    """A table with offsets and one-byte enumerations in these slots."""
    kinds = kinds or {}
    builder.StartObject(max((*offsets, *kinds)) + 1)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, kind in kinds.items():
        builder.PrependUint8Slot(slot, kind, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())

"""A loaded .tflite model: the only file that imports LiteRT, or tflite_runtime where there is no LiteRT."""

import ctypes
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.inference.metadata import BrokenMetadata, check_whole, is_tflite, read_metadata
from picam_webrtc.inference.tensors import Array, Metadata, Signature, Tensor

_logger = logging.getLogger(__name__)

POSTPROCESS_OPERATOR = "TFLite_Detection_PostProcess"
RUNTIME_ERRORS = (ValueError, RuntimeError, OSError, MemoryError, SystemError, TypeError)
"""What the runtimes raise."""


class Model:
    """One interpreter, to be used by one thread at a time."""

    def __init__(self, path: Path, num_threads: int = 1, delegates: Sequence[Any] = ()) -> None:
        """Load the model. Raises SettingError for a file that is no usable model, ModelError without a runtime."""
        interpreter_class, _ = _runtime()
        _check_file(path)
        metadata = _metadata(path)
        try:
            self._interpreter = interpreter_class(
                model_path=str(path), num_threads=num_threads, experimental_delegates=list(delegates)
            )
            self._interpreter.allocate_tensors()
            # Some shapes are known only after a run, and the first run is slow: it is not to be a frame's.
            self._interpreter.invoke()
            self.signature = _signature(self._interpreter, metadata)
        except RUNTIME_ERRORS as error:
            raise SettingError("model", str(path), f"does not load: {_reason(error)}") from error

    def input_view(self) -> Array:
        """The input tensor's own memory. Let go of it before `run`: the runtime refuses to run while it is held."""
        view: Array = self._interpreter.tensor(self.signature.inputs[0].index)()
        return view

    def run(self) -> list[Array]:
        """Run on what the input holds and return every output in real numbers. Raises ModelError.

        Let go of the outputs before the next run: they are the runtime's own memory where that holds floats.
        """
        try:
            self._interpreter.invoke()
            outputs = self.signature.outputs
            return [tensor.real(self._interpreter.tensor(tensor.index)()) for tensor in outputs]
        except RUNTIME_ERRORS as error:
            raise ModelError(f"the model failed on a frame: {_reason(error)}") from error


def default_threads() -> int:
    """More threads than idle cores make inference slower, by far: cameras and encoders need theirs."""
    cores = os.cpu_count() or 1
    return 1 if cores < 4 else min(4, cores // 2)


def load_delegate(library: str, options: Sequence[str]) -> Any:
    """An external delegate such as libedgetpu.so.1, options as key=value. Raises SettingError, ModelError."""
    pairs = [option.partition("=") for option in options]
    for option, (key, equals, _) in zip(options, pairs, strict=True):
        if not key or not equals:
            raise SettingError("delegate_options", option, "must be key=value")
    _, load = _runtime()
    try:
        # A library that is not there is found out here: the runtime's delegate cannot even be thrown away then.
        ctypes.CDLL(library)
        return load(library, {key: value for key, _, value in pairs})
    except RUNTIME_ERRORS as error:
        remedy = "is the library installed and the device plugged in? delegate_fallback:=true runs on the CPU instead"
        raise SettingError("delegate", library, f"does not load ({_reason(error)}); {remedy}") from error


def _runtime() -> tuple[Any, Any]:
    """The Interpreter class and load_delegate of whichever runtime there is. Raises ModelError."""
    try:
        from ai_edge_litert.interpreter import Interpreter, load_delegate

        return Interpreter, load_delegate
    except ImportError as missing:
        try:
            if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
                raise ImportError(f"it needs numpy < 2, and this is {np.__version__}")
            from tflite_runtime.interpreter import Interpreter, load_delegate

            return Interpreter, load_delegate
        except ImportError as error:
            raise ModelError(
                f"no TFLite runtime: neither ai_edge_litert ({missing}) nor tflite_runtime ({error}) can be used; "
                "install one: python3 -m pip install ai-edge-litert"
            ) from missing


def _check_file(path: Path) -> None:
    try:
        if not is_tflite(path):
            raise SettingError("model", str(path), "is not a TFLite model: it does not bear the mark TFL3")
        check_whole(path)
    except OSError as error:
        raise SettingError("model", str(path), f"cannot be read: {error.strerror or error}") from error
    except BrokenMetadata as error:
        raise SettingError("model", str(path), f"does not load: it is damaged or cut short: {error}") from error


def _metadata(path: Path) -> Metadata:
    try:
        return read_metadata(path)
    except (ModelError, OSError) as error:
        _logger.warning("The metadata of %s is not used: %s", path, error)
        return Metadata()


def _signature(interpreter: Any, metadata: Metadata) -> Signature:
    inputs = tuple(_tensor(details) for details in interpreter.get_input_details())
    outputs = tuple(_tensor(details) for details in interpreter.get_output_details())
    operator = _postprocess_operator(interpreter)
    if operator is not None:
        order = [tensor.index for tensor in outputs]
        produced = [int(index) for index in operator["outputs"]]
        if len(produced) == 4 and set(produced) <= set(order):
            boxes, classes, scores, count = (order.index(index) for index in produced)
            known = _class_count(interpreter, operator)
            return Signature(inputs, outputs, metadata, (boxes, classes, scores, count), known)
    return Signature(inputs, outputs, metadata, _by_signature(interpreter, outputs))


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(length) for length in details["shape"])
    return Tensor(details["index"], details["name"], shape, np.dtype(details["dtype"]), float(scale), int(zero_point))


def _postprocess_operator(interpreter: Any) -> dict[str, Any] | None:
    """The operator that lists boxes, classes, scores and count in this order, whatever the model's outputs do."""
    # A private method, the same in both runtimes; without it the order is told by names and shapes.
    operators: list[dict[str, Any]] = getattr(interpreter, "_get_ops_details", list)()
    return next((operator for operator in operators if operator["op_name"] == POSTPROCESS_OPERATOR), None)


def _class_count(interpreter: Any, operator: dict[str, Any]) -> int:
    """Classes without background, from the operator's second input, the scores [1, n, classes + 1]."""
    indices = [int(index) for index in operator["inputs"]]
    shapes = {details["index"]: tuple(details["shape"]) for details in interpreter.get_tensor_details()}
    match shapes.get(indices[1]) if len(indices) > 1 else None:
        case (_, _, columns):
            return int(columns) - 1
    return 0


def _by_signature(interpreter: Any, outputs: Sequence[Tensor]) -> tuple[int, int, int, int] | None:
    """TF2's detection zoo names its outputs output_0 to output_3: count, scores, classes, boxes."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1 or len(outputs) != 4:
        return None
    key = next(iter(signatures))
    if signatures[key]["outputs"] != ["output_0", "output_1", "output_2", "output_3"]:
        return None
    details = interpreter.get_signature_runner(key).get_output_details()
    order = [tensor.index for tensor in outputs]
    named = [int(details[f"output_{number}"]["index"]) for number in range(4)]
    if not set(named) <= set(order):
        return None
    count, scores, classes, boxes = (order.index(index) for index in named)
    return boxes, classes, scores, count


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

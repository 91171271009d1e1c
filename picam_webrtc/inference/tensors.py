"""What is known of a model's inputs and outputs before it runs: plain values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picam_webrtc.inference.labels import Labels

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output. Quantised where `scale` is not 0: value = (stored - zero_point) * scale."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def real(self, stored: Array) -> Array:
        """Stored numbers as real ones; floats are returned as they are, in float32."""
        if self.scale == 0:
            return stored.astype(np.float32, copy=False)
        return (stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def __str__(self) -> str:
        size = "x".join(str(length) for length in self.shape) or "scalar"
        return f"{self.name or '(unnamed)'} {self.dtype.name}[{size}]"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the model says of itself, beyond its tensors; empty where it says nothing."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    output_names: tuple[str, ...] = ()
    labels: Labels | None = None
    task: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """A model's tensors, and what else tells one convention from another.

    `postprocess` holds the outputs that are boxes, classes, scores and count, as positions in `outputs`, where a
    TFLite_Detection_PostProcess operator was found; `postprocess_classes` is the number of its classes, 0 if unknown.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Metadata = Metadata()
    postprocess: tuple[int, int, int, int] | None = None
    postprocess_classes: int = 0

    def __str__(self) -> str:
        inputs = ", ".join(str(tensor) for tensor in self.inputs)
        outputs = ", ".join(str(tensor) for tensor in self.outputs)
        return f"inputs: {inputs}; outputs: {outputs}"


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The one input a picture goes into: [1, height, width, channels], or channels first where `planar`."""

    tensor: Tensor
    width: int
    height: int
    channels: int
    planar: bool


def image_input(signature: Signature) -> ImageInput | None:
    """The model's image input, or None when it is no model of one picture."""
    if len(signature.inputs) != 1:
        return None
    tensor = signature.inputs[0]
    if len(tensor.shape) != 4 or tensor.shape[0] != 1 or min(tensor.shape) < 1:
        return None
    _, first, second, third = tensor.shape
    if third in (1, 3):
        return ImageInput(tensor, second, first, third, planar=False)
    if first in (1, 3):
        return ImageInput(tensor, third, second, first, planar=True)
    return None

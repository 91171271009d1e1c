"""What a network on the image sensor itself made of an exposure (Sony IMX500): plain values for every consumer."""

from dataclasses import dataclass, fields
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from picam_webrtc.frame import Frame
from picam_webrtc.view import Size, View

FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class SensorTensor:
    """One output of one picture, without a batch: float32, little endian, the last index running fastest."""

    shape: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        """Raises ValueError for a shape that the data has not."""
        if min(self.shape, default=1) < 1 or prod(self.shape) * FLOAT.itemsize != len(self.data):
            raise ValueError(f"{len(self.data)} bytes are no float32 of shape {self.shape}")

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        array = np.asarray(values, FLOAT)
        return cls(array.shape, array.tobytes())

    @property
    def array(self) -> NDArray[Any]:
        """It cannot be written to."""
        return np.frombuffer(self.data, FLOAT).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class SensorNetwork:
    """A network as its file describes it, in the words of Picamera2's `NetworkIntrinsics`; `name` is the file's.

    `task` is classification, object detection, segmentation, pose estimation, or empty where the file does not tell.
    `input_size` [px] is (0, 0) then. `labels` are names by class number. `bbox_order` is xy, yx or empty;
    `bbox_normalization` says that boxes are in pixels of the input; `softmax`, that scores are logits;
    `post_processing` names what is still to be done to the outputs on the processor.
    """

    name: str = ""
    task: str = ""
    input_size: Size = (0, 0)
    labels: tuple[str, ...] = ()
    bbox_order: str = ""
    bbox_normalization: bool = False
    softmax: bool = False
    post_processing: str = ""


UNKNOWN_NETWORK = SensorNetwork()


@dataclass(frozen=True, slots=True)
class SensorOutputs:
    """`tensors` is empty where the sensor had none for this exposure, as when its network is slower than the camera.

    `seen` is what the network's input shows of the sensor; `network_ns` how long the network took, 0 where unknown.
    """

    network: SensorNetwork
    seen: View
    tensors: tuple[SensorTensor, ...] = ()
    network_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SensedFrame(Frame):
    """A frame with what the network on its sensor made of the same exposure."""

    outputs: SensorOutputs | None = None

    @classmethod
    def of(cls, frame: Frame, view: View | None, outputs: SensorOutputs) -> Self:
        """`frame` with `view` in place of its own, which a frame of another process does not have."""
        values = {field.name: getattr(frame, field.name) for field in fields(frame)}
        return cls(**{**values, "view": view, "outputs": outputs})

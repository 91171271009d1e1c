"""Outputs of a network as libcamera puts them into a frame's metadata, with its own structures.

From raspberrypi/libcamera v0.7.1+rpt20260429: src/ipa/rpi/controller/controller.h (`OutputTensorInfo`,
`CnnOutputTensorInfo`, `CnnKpiInfo`) and src/ipa/rpi/cam_helper/imx500_tensor_parser/imx500_tensor_parser.cpp, which
writes numbers with the first index running fastest. `frameCount` and the types that Python gets are as Picamera2
0.3.38 expects them (picamera2/devices/imx500/imx500.py, `CnnOutputTensorInfoExported`).
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NETWORK_NAME_LENGTH = 64
MOST_TENSORS = MOST_DIMENSIONS = 16

Array = NDArray[Any]


class OutputTensorInfo(ctypes.LittleEndianStructure):
    _fields_ = (
        ("tensorDataNum", ctypes.c_uint32),
        ("numDimensions", ctypes.c_uint32),
        ("size", ctypes.c_uint16 * MOST_DIMENSIONS),
    )


class CnnOutputTensorInfo(ctypes.LittleEndianStructure):
    _fields_ = (
        ("networkName", ctypes.c_char * NETWORK_NAME_LENGTH),
        ("numTensors", ctypes.c_uint32),
        ("info", OutputTensorInfo * MOST_TENSORS),
        ("frameCount", ctypes.c_uint8),
    )


def cnn_metadata(outputs: Sequence[Array], name: str = "network", network_us: int = 12_345) -> dict[str, Any]:
    """`outputs` are those of one picture, without a batch. pycamera gives spans as tuples of Python's own numbers."""
    info = CnnOutputTensorInfo(networkName=name.encode(), numTensors=len(outputs))
    for place, output in zip(info.info, outputs, strict=False):
        place.tensorDataNum, place.numDimensions = output.size, output.ndim
        place.size[: output.ndim] = output.shape
    numbers = np.concatenate([np.asarray(output, np.float32).ravel(order="F") for output in outputs])
    return {
        "CnnOutputTensor": tuple(numbers.tolist()),
        "CnnOutputTensorInfo": tuple(bytes(info)),
        "CnnKpiInfo": (network_us, network_us // 4),
    }

"""Picamera2's `IMX500` as far as it is used, without a sensor.

Names, what `config` holds when, the order of its work and its errors are from Picamera2 0.3.38,
picamera2/devices/imx500/imx500.py (`__init__`, `__set_network_firmware`, `__ni_from_network`, `set_inference_roi_abs`,
`set_inference_aspect_ratio`, `NetworkIntrinsics`); a rectangle's arithmetic is from libcamera's geometry.cpp. The
network file is JSON in place of a firmware with an archive behind it, written by `write_network`.
"""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from picam_webrtc_test.camera.cnn_metadata import Array, cnn_metadata

WHOLE = (0, 0, 4056, 3040)
INTRINSICS = (
    *("task", "labels", "ignore_dash_labels", "bbox_order", "bbox_normalization", "softmax", "postprocess"),
    *("preserve_aspect_ratio", "inference_rate"),
)
"""`NetworkIntrinsics`' properties; each is None where the network's file does not tell."""


class FakeRectangle:
    """A `libcamera.Rectangle`."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers

    def to_tuple(self) -> tuple[int, ...]:
        return self._numbers


class FakeImx500:
    """`metadata()` is what libcamera then puts into frames; of every `each`-th only, where the network is slow."""

    def __init__(self, network_file: str, log: list[str]) -> None:
        self.device_fd = io.BytesIO()
        self._log = log
        log.append("IMX500")
        self.config: dict[str, Any] = {"network_file": network_file, "input_tensor": {}}
        self.network_intrinsics: Any = None
        self._outputs: list[Array] = []
        self._frames, self.each = 0, 1
        self._read(network_file)
        self.config["roi"] = FakeRectangle(*WHOLE)

    def _read(self, network_file: str) -> None:
        if not Path(network_file).is_file():
            raise RuntimeError(f"Firmware file {network_file} does not exist.")
        try:
            content = json.loads(Path(network_file).read_text())
        except ValueError:
            raise struct.error("unpack requires a buffer of 8 bytes") from None
        if content["intrinsics"] is not None:
            self.network_intrinsics = SimpleNamespace(**{**dict.fromkeys(INTRINSICS), **content["intrinsics"]})
        if content["input_size"] is not None:
            self.config["input_tensor_size"] = tuple(content["input_size"])
        self._outputs = [np.array(output, np.float32) for output in content["outputs"]]
        self.each = content["each"]

    def metadata(self) -> dict[str, Any]:
        self._frames += 1
        if self.device_fd.closed or not self._outputs or self._frames % self.each:
            return {}
        return cnn_metadata(self._outputs)

    def set_auto_aspect_ratio(self) -> None:
        """`Size::boundedToAspectRatio`, `centeredTo`."""
        self._log.append("set_auto_aspect_ratio")
        across, down = self.config["input_tensor_size"]
        _, _, width, height = WHOLE
        if width * down > across * height:
            roi_width, roi_height = across * height // down, height
        else:
            roi_width, roi_height = width, down * width // across
        left, top = width // 2 - roi_width // 2, height // 2 - roi_height // 2
        self.config["roi"] = FakeRectangle(left, top, roi_width, roi_height)


def write_network(
    path: Path,
    outputs: Sequence[Array] = (),
    intrinsics: Mapping[str, Any] | None = None,
    input_size: tuple[int, int] | None = (320, 320),
    each: int = 1,
) -> str:
    """A network file for FakeImx500: what the network puts out whatever it sees, and what its file says of it."""
    numbers = [np.asarray(output).tolist() for output in outputs]
    content = {"outputs": numbers, "intrinsics": intrinsics, "input_size": input_size, "each": each}
    path.write_text(json.dumps(content))
    return str(path)

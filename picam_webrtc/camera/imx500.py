"""The network on a Sony IMX500 (Raspberry Pi AI Camera), through Picamera2's device class of that name.

What is read of it is as in Picamera2 0.3.38, picamera2/devices/imx500/imx500.py. Untried on hardware.
"""

import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from picam_webrtc.camera.picamera2_library import CameraInfo, CameraLibrary, reason, select_camera
from picam_webrtc.camera.sensor_mode import rectangle
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import Rectangle, View, mirrored_within

logger = logging.getLogger(__name__)

MODEL = "imx500"
INSTALL = "`sudo apt install imx500-all`"
WHOLE_SENSOR: Rectangle = (0, 0, 4056, 3040)
"""`IMX500.__get_full_sensor_resolution` [sensor px]."""
NS_PER_US = 1000
UNDEFINED_LABEL = "-"

NAME_BYTES = 64
MOST_DIMENSIONS = 16
INFO_HEADER = struct.Struct(f"<{NAME_BYTES}sI")
"""libcamera's `CnnOutputTensorInfo` (src/ipa/rpi/controller/controller.h): the network's name, how many tensors."""
TENSOR_INFO = struct.Struct(f"<II{MOST_DIMENSIONS}H")
"""`OutputTensorInfo` of each: how many numbers it has, how many dimensions, their sizes."""


def select_sensor(cameras: Sequence[CameraInfo], settings: CameraSettings) -> CameraInfo:
    """The camera that the settings mean: with a network and no camera named, the first that can run one.

    Raises CameraError when there is no camera at all, SettingError when not the wanted one, or no IMX500.
    """
    able = [camera for camera in cameras if camera.model == MODEL] if settings.network and not settings.camera else []
    camera = select_camera(able[:1] or cameras, settings.camera)
    if settings.network:
        if camera.model != MODEL:
            text = f"needs an IMX500, the Raspberry Pi AI Camera, and {camera} is none; leave it empty for this camera"
            raise SettingError("network", settings.network, text)
        network_file(settings.network)
    return camera


def network_file(network: str) -> Path:
    """Raises SettingError where it is none."""
    path = Path(network)
    if not path.is_file():
        text = f"no such file: give the path of an .rpk file ({INSTALL} brings some to /usr/share/imx500-models)"
        raise SettingError("network", str(path), text)
    return path


def open_imx500(library: CameraLibrary, settings: CameraSettings, camera: CameraInfo, *backwards: bool) -> "Imx500":
    """Have the sensor run the network; before Picamera2 is opened. `backwards`: whether columns and rows are read so.

    Raises CameraError when the sensor does not take it, SettingError for what can never work.
    """
    path = network_file(settings.network)
    try:
        device = library.open_imx500(str(path), camera.id)
    except SettingError:
        raise
    except (RuntimeError, OSError, StopIteration) as error:
        hint = f"{INSTALL} brings the sensor's firmware, and `rpicam-hello --list-cameras` must name {MODEL}"
        raise CameraError(f"network {path} does not go to {camera} ({reason(error)}); {hint}") from error
    except Exception as error:  # struct's, json's, jsonschema's and libarchive's own, for what is in the file
        text = f"is no network for an IMX500 ({reason(error)}); give an .rpk file, as {INSTALL} brings"
        raise SettingError("network", str(path), text) from error
    return Imx500(device, path.stem, *backwards)


class Imx500:
    """An opened IMX500 with its network. To be used by one thread at a time, and closed after its camera."""

    def __init__(self, device: Any, name: str, columns_backwards: bool = False, rows_backwards: bool = False) -> None:
        self.network = describe(device, name)
        self._device = device
        self._backwards = columns_backwards, rows_backwards
        self._seen = self._view()
        self._complaint = ""

    def started(self) -> None:
        """The camera runs: choose the part of the sensor that the network sees, where its file asks for that.

        In this order as in Picamera2's examples/imx500/imx500_object_detection_demo.py.
        """
        if getattr(self._device.network_intrinsics, "preserve_aspect_ratio", None):
            self._device.set_auto_aspect_ratio()
            self._seen = self._view()

    def _view(self) -> View:
        """What the network sees. It is given what the sensor reads out, mirrored where that is; the region of interest
        counts in that too, as ScalerCrop does.
        """
        region = self._device.config.get("roi")  # Picamera2 leaves it out where the driver refuses it
        given = rectangle(region.to_tuple()) if region is not None else WHOLE_SENSOR
        crop = mirrored_within(given, WHOLE_SENSOR, *self._backwards)
        return View(WHOLE_SENSOR[2:], crop, crop, *self._backwards)

    def outputs(self, metadata: Mapping[str, Any]) -> SensorOutputs:
        """What the network made of the exposure with that metadata."""
        tensors: tuple[SensorTensor, ...] = ()
        try:
            tensors = tuple(output_tensors(metadata))
        except (ValueError, TypeError, struct.error) as error:
            if self._complaint != str(error):
                self._complaint = str(error)
                logger.warning("Outputs of the network %s cannot be read: %s", self.network.name, error)
        times = metadata.get("CnnKpiInfo") or (0,)  # of the network, and of the signal processor [us]
        return SensorOutputs(self.network, self._seen, tensors, int(times[0]) * NS_PER_US if tensors else 0)

    def close(self) -> None:
        """The class itself only does so when it is collected."""
        if self._device.device_fd is not None:
            self._device.device_fd.close()


def describe(device: Any, name: str) -> SensorNetwork:
    """What the network's file says of it; Picamera2's `IMX500` has no intrinsics where it says nothing."""
    says = device.network_intrinsics
    if says is None:
        return SensorNetwork(name, input_size=_input_size(device))
    labels = tuple(map(str, says.labels or ()))
    if says.ignore_dash_labels:
        labels = tuple(label for label in labels if label not in ("", UNDEFINED_LABEL))
    return SensorNetwork(
        name=name,
        task=says.task or "",
        input_size=_input_size(device),
        labels=labels,
        bbox_order=says.bbox_order or "",
        bbox_normalization=bool(says.bbox_normalization),
        softmax=bool(says.softmax),
        post_processing=says.postprocess or "",
    )


def _input_size(device: Any) -> tuple[int, int]:
    width, height = device.config.get("input_tensor_size", (0, 0))
    return int(width), int(height)


def output_tensors(metadata: Mapping[str, Any]) -> Iterator[SensorTensor]:
    """As `IMX500.get_outputs` reads them: one after the other, in each the first index running fastest.

    None where the metadata has none. Raises ValueError, TypeError or struct.error for what does not fit together.
    """
    numbers = metadata.get("CnnOutputTensor")
    if numbers is None or not len(numbers):
        return
    values = np.asarray(numbers, np.float32)
    shapes = output_shapes(bytes(metadata.get("CnnOutputTensorInfo") or b""))
    if sum(map(prod, shapes)) != len(values):
        raise ValueError(f"{len(values)} numbers are no tensors of shapes {shapes}")
    offset = 0
    for shape in shapes:
        yield SensorTensor.of(values[offset : offset + prod(shape)].reshape(shape, order="F"))
        offset += prod(shape)


def output_shapes(info: bytes) -> list[tuple[int, ...]]:
    _, count = INFO_HEADER.unpack_from(info)
    places = range(INFO_HEADER.size, INFO_HEADER.size + count * TENSOR_INFO.size, TENSOR_INFO.size)
    found = [TENSOR_INFO.unpack_from(info, place) for place in places]
    return [tuple(sizes[:dimensions]) for _, dimensions, *sizes in found]


def without_tensors(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata that tell of the camera: thousands of numbers have no place among them."""
    return {name: value for name, value in metadata.items() if not name.startswith("Cnn")}

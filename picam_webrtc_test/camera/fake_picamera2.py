"""Picamera2 as four of its releases are, on libcamera's own tables, with a log of all that it was told.

What differs between the releases is from raspberrypi/picamera2 at v0.3.12, v0.3.20, v0.3.31 and 0.3.38 (PyPI):
picamera2/picamera2.py (`create_video_configuration`, `configure_`, `start_`, `cancel_all_and_flush`), job.py
(`get_result`), request.py (`MappedArray`, `CompletedRequest.release`), controls.py (`Controls`).
"""

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from picam_webrtc.errors import SettingError
from picam_webrtc.frame import ColorSpace
from picam_webrtc_test.camera.fake_imx500 import FakeImx500
from picam_webrtc_test.camera.libcamera_ipa import Ipa
from picam_webrtc_test.camera.libcamera_tables import (
    ARRAY_SIZES,
    ENUMERATORS,
    IMX708,
    PICAMERA2,
    Crop,
    Limits,
    Mode,
    Sensor,
    after_configure,
    before_configure,
)

NEWEST = "0.3.38"
COLOR_SPACES = {ColorSpace.SMPTE170M: "Smpte170m", ColorSpace.REC709: "Rec709", ColorSpace.SYCC: "Sycc"}
SMALLEST_ISP_CROP = (64, 64)
NOISE_REDUCTION_FAST = 1
BYTES_IN_ROW_PER_PIXEL = {
    "RGB888": 3,
    "BGR888": 3,
    "XRGB8888": 4,
    "XBGR8888": 4,
    "YUYV": 2,
    "UYVY": 2,
    "R8": 1,
    "NV12": 1,
    "NV21": 1,
    "YUV420": 1,
    "YVU420": 1,
    "MJPEG": 1,
}


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


class FakeControlId:
    """What libcamera tells of a control."""

    def __init__(self, name: str) -> None:
        self.size = ARRAY_SIZES.get(name, 0)
        self.isArray = name in ARRAY_SIZES
        self._enumerators = ENUMERATORS.get(name, {})

    def enumerators(self) -> Mapping[int, str]:
        return self._enumerators


class FakeRequest:
    def __init__(self, buffers: Mapping[str, Any], metadata: Mapping[str, Any], on_release: Callable[[], None]) -> None:
        self.buffers, self.metadata, self._on_release = buffers, metadata, on_release
        self.releases = 0

    def get_metadata(self) -> dict[str, Any]:
        return dict(self.metadata)

    def release(self) -> None:
        self.releases += 1
        self._on_release()


class FakeJob:
    """Before 0.3.17 `get_result` takes no timeout; `signal_function` is called in every release."""

    def __init__(self, version: str, signal_function: Callable[[Any], None] | None) -> None:
        self.future: concurrent.futures.Future[FakeRequest] = concurrent.futures.Future()
        self._signal_function = signal_function
        self._version = version

    def get_result(self, *arguments: float | None, **named: float | None) -> FakeRequest:
        if (arguments or named) and number(self._version) < (0, 3, 17):
            raise TypeError("Job.get_result() takes 1 positional argument but 2 were given")
        return self.future.result(*arguments, **named)

    def finish(self, request: FakeRequest) -> None:
        self.future.set_result(request)
        self._signal()

    def fail(self, error: Exception) -> None:
        """`execute` keeps the exception; the job has ended, and that is signalled."""
        self.future.set_exception(error)
        self._signal()

    def _signal(self) -> None:
        if self._signal_function:
            self._signal_function(self)


class FakePicamera2:
    """As far as the source uses it. `adjust` is what libcamera silently makes of a configuration.

    `told` is every control list that reached libcamera, in order: at start() and with each request that was queued
    again. `ipa` is what libcamera made of them; it outlives the camera's closing where it is handed on.
    """

    def __init__(
        self,
        adjust: Mapping[str, Mapping[str, Any]] | None = None,
        version: str = NEWEST,
        sensor: Sensor | None = IMX708,
        pisp: bool = False,
        ipa: Ipa | None = None,
    ) -> None:
        self.adjust = adjust or {}
        self.version, self.sensor, self._pisp = version, sensor, pisp
        self._libcamera = PICAMERA2[version]
        self.ipa = ipa or Ipa(self._libcamera.exposure_modes)
        self.told: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.jobs: list[FakeJob] = []
        self.unreleased = 0
        self.tuning: str = ""
        self.imx500: FakeImx500 | None = None
        self.reopen()

    def __getattribute__(self, name: str) -> Any:
        if name == "cancel_all_and_flush" and number(object.__getattribute__(self, "version")) < (0, 3, 20):
            raise AttributeError(f"'Picamera2' object has no attribute {name!r}")
        return object.__getattribute__(self, name)

    def reopen(self) -> None:
        """What `Picamera2()` does: nothing is configured, and the table is libcamera's generic one."""
        self.configuration: dict[str, Any] = {}
        self.mode: Mode | None = None
        self.crops: tuple[Crop, ...] = ()
        self._pending: dict[str, Any] = {}
        self._started = False
        self.camera_controls: Mapping[str, Limits] = (
            {"FrameDurationLimits": (33333, 120000, None)}
            if self.sensor is None
            else before_configure(self._libcamera, self.sensor, self._pisp)
        )

    @property
    def camera_properties(self) -> dict[str, Any]:
        if self.sensor is None:
            return {"Model": "usb"}
        found = {"Model": self.sensor.model, "PixelArraySize": self.sensor.pixel_array, "ColorFilterArrangement": 0}
        return found | ({"ScalerCropMaximum": self.mode.crop} if self.mode else {})

    @property
    def camera_ctrl_info(self) -> dict[str, tuple[Any, Any]]:
        return {name: (FakeControlId(name), None) for name in self.camera_controls}

    @property
    def sensor_modes(self) -> list[dict[str, Any]]:
        """Configures the camera for each of them, in every release."""
        self._called("sensor_modes")
        return [
            {
                "format": mode.format,
                "unpacked": mode.format.removesuffix("_CSI2P"),
                "bit_depth": mode.bit_depth,
                "size": mode.size,
                "fps": mode.frames_per_second,
                "crop_limits": mode.crop,
                "exposure_limits": mode.exposure,
            }
            for mode in (self.sensor.modes if self.sensor else ())
        ]

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def create_video_configuration(
        self,
        main: Mapping[str, Any],
        lores: Mapping[str, Any] | None = None,
        raw: Mapping[str, Any] | None = None,
        transform: Any = None,
        colour_space: Any = None,
        buffer_count: int = 6,
        controls: Mapping[str, Any] | None = None,
        display: str | None = "main",
        encode: str | None = "main",
        queue: bool = True,
        **newer: Any,
    ) -> dict[str, Any]:
        """Arguments that a release does not have are a TypeError: `sensor` and `use_case` are newer than 0.3.12."""
        if newer and number(self.version) < (0, 3, 13):
            raise TypeError(f"create_video_configuration() got an unexpected keyword argument {next(iter(newer))!r}")
        main = {"format": "XBGR8888", "size": (1280, 720), **main}
        size = main["size"]
        if colour_space is None:
            colour_space = "Smpte170m" if size[0] < 1280 or size[1] < 720 else "Rec709"
        set_first: dict[str, Any] = {}
        if {"NoiseReductionMode", "FrameDurationLimits"} <= self.camera_controls.keys():
            set_first = {"NoiseReductionMode": NOISE_REDUCTION_FAST, "FrameDurationLimits": (33333, 33333)}
        return {
            "main": dict(main),
            "lores": {"format": "YUV420", "size": size, **lores} if lores else None,
            "raw": {"size": size, "format": self._native_format(), **(raw or {})} if self.sensor else None,
            "transform": transform or {"hflip": False, "vflip": False},
            "colour_space": colour_space,
            "buffer_count": buffer_count,
            "controls": set_first | dict(controls or {}),
            "display": display,
            "encode": encode,
            "queue": queue,
        }

    def _native_format(self) -> str:
        assert self.sensor
        return max(self.sensor.modes, key=lambda mode: (mode.size, mode.bit_depth)).format

    def configure(self, configuration: dict[str, Any]) -> None:
        self._called("configure")
        self.configuration = dict(configuration)
        for name in ("main", "lores"):
            if self.configuration[name]:
                stream = {**self.configuration[name], **self.adjust.get(name, {})}
                stream.setdefault("stride", stream["size"][0] * BYTES_IN_ROW_PER_PIXEL[stream["format"]])
                self.configuration[name] = stream
        self.configuration.update(self.adjust.get("", {}))
        if self.sensor is not None:
            self._configure_sensor(self.sensor)
        self._pending = {}
        self.set_controls(self.configuration["controls"], counted=False)
        if "ScalerCrops" in self.camera_controls and number(self.version) >= (0, 3, 31):
            shown = self.crops[0]  # main keeps its shape (preserve_ar), lores shows the same unless told otherwise
            crops = [shown, shown] if self.configuration["lores"] else [shown]
            self.set_controls({"ScalerCrops": crops}, counted=False)

    def _configure_sensor(self, sensor: Sensor) -> None:
        raw = self.configuration["raw"]
        bits = next(mode.bit_depth for mode in sensor.modes if mode.format == raw["format"])
        self.mode = min(sensor.modes, key=lambda mode: score(mode, raw["size"], bits))
        raw.update(size=self.mode.size, format=self.mode.format)
        streams = [self.configuration[name]["size"] for name in ("main", "lores") if self.configuration[name]]
        self.crops = tuple(isp_crop(self.mode, size) for size in (streams if self._pisp else streams[:1]))
        self.ipa.state.crops = self.crops
        self.camera_controls = after_configure(self._libcamera, sensor, self.mode, self.crops, SMALLEST_ISP_CROP)

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def set_controls(self, controls: Mapping[str, Any], counted: bool = True) -> None:
        if counted:
            self._called("set_controls")
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self._pending.update(controls)

    def start(self) -> None:
        self._called("start")
        self._started = True
        self._tell(at_start=True)

    def _tell(self, at_start: bool) -> None:
        """`start_` and `CompletedRequest.release`: what was set since the last time goes to libcamera at once."""
        controls, self._pending = self._pending, {}
        if number(self.version) >= (0, 3, 31):
            for name, mode in (("ExposureTime", "ExposureTimeMode"), ("AnalogueGain", "AnalogueGainMode")):
                if name in controls and mode in self.camera_controls:
                    controls[mode] = 1 if controls[name] else 0
                    if not controls[name] and not at_start:
                        del controls[name]
        if controls:
            self.told.append(controls)
            self.ipa.apply(controls)

    def capture_request(self, wait: bool, signal_function: Callable[[Any], None] | None = None) -> FakeJob:
        assert wait is False
        self.jobs.append(FakeJob(self.version, signal_function))
        return self.jobs[-1]

    def cancel_all_and_flush(self) -> None:
        self._called("cancel_all_and_flush")
        for job in self.jobs:
            if not job.future.done():
                job.future.set_exception(concurrent.futures.CancelledError())

    def close(self) -> None:
        self._called("close")
        self._started = False

    def complete(self, buffers: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """What the camera does when it has a frame: the job that waits gets it."""
        self.unreleased += 1
        tensors = self.imx500.metadata() if self.imx500 is not None else {}
        found = {**self._crop_metadata(), **tensors, **(metadata or {})}
        request = FakeRequest(buffers or self.blank_buffers(), found, self._release)
        self.jobs[-1].finish(request)

    def _crop_metadata(self) -> dict[str, Any]:
        """`CameraData::fillRequestMetadata`."""
        crops = self.ipa.state.crops if self.sensor else ()
        found: dict[str, Any] = {"ScalerCrop": crops[0]} if crops else {}
        return found | ({"ScalerCrops": list(crops)} if len(crops) > 1 else {})

    def blank_buffers(self) -> dict[str, Any]:
        return {
            name: np.zeros(self.configuration[name]["stride"] * self.configuration[name]["size"][1] * 2, np.uint8)
            for name in ("main", "lores")
            if self.configuration[name]
        }

    def _release(self) -> None:
        self.unreleased -= 1
        if self._started:
            self._tell(at_start=False)


def score(mode: Mode, size: tuple[int, int], bit_depth: int) -> float:
    """`CameraData::findBestFormat`, which `_make_libcamera_config` copies."""

    def distance(desired: float, actual: float) -> float:
        return (actual - desired) / 4 if actual > desired else (desired - actual) * 2

    shape = 1500 * distance(size[0] / size[1], mode.size[0] / mode.size[1])
    sizes = distance(size[0], mode.size[0]) + distance(size[1], mode.size[1])
    return sizes + shape + 500 * abs(bit_depth - mode.bit_depth)


def isp_crop(mode: Mode, size: tuple[int, int]) -> Crop:
    """`boundedToAspectRatio` and `centeredTo` in the mode's pixels, `scaleIspCrop` to the sensor's."""
    width, height = mode.size
    if width * size[1] > height * size[0]:
        width = height * size[0] // size[1]
    else:
        height = width * size[1] // size[0]
    left, top = (mode.size[0] - width) // 2, (mode.size[1] - height) // 2
    x, y, crop_width, crop_height = mode.crop
    scale_x, scale_y = crop_width / mode.size[0], crop_height / mode.size[1]
    return (
        x + int(left * scale_x),
        y + int(top * scale_y),
        int(width * scale_x),
        int(height * scale_y),
    )


class FakeLibrary:
    """Picamera2's module with these cameras: models, in the order of their indices."""

    def __init__(self, *models: str, device: FakePicamera2 | None = None) -> None:
        self.models = list(models)
        self.device = device or FakePicamera2()
        self.opened: list[int] = []
        self.order: list[str] = []
        self.imx500: FakeImx500 | None = None
        self.error: Exception | None = None
        self.refuses_networks = False
        self.hdr: list[tuple[str, bool]] = []

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"Id": f"/base/i2c@{self._bus(index)}/{model}", "Model": model} for index, model in enumerate(self.models)
        ]

    def _bus(self, index: int) -> int:
        return index

    def open(self, index: int) -> FakePicamera2:
        if self.error:
            raise RuntimeError("Camera __init__ sequence did not complete.") from self.error
        self.opened.append(index)
        self.order.append("Picamera2")
        self.device.imx500 = self.imx500
        self.device.reopen()
        return self.device

    def use_tuning(self, name: str) -> None:
        if name == "missing.json":
            raise SettingError("tuning_file", name, "Tuning file not found")
        self.device.tuning = name

    def set_sensor_hdr(self, camera_id: str, enabled: bool) -> None:
        self.hdr.append((camera_id, enabled))

    def open_imx500(self, network: str, camera_id: str) -> FakeImx500:
        known = any(camera["Id"] == camera_id and camera["Model"] == "imx500" for camera in self.cameras())
        if self.refuses_networks or not known:
            raise RuntimeError("IMX500: Requested camera dev-node not found")
        self.imx500 = FakeImx500(network, self.order)
        return self.imx500

    def transform(self, hflip: bool, vflip: bool) -> Any:
        return {"hflip": hflip, "vflip": vflip}

    def color_space(self, color_space: ColorSpace) -> Any:
        return COLOR_SPACES[color_space]

    def color_space_of(self, configured: Any) -> ColorSpace | None:
        return next((ours for ours, theirs in COLOR_SPACES.items() if theirs == configured), None)

    def mapped(self, request: FakeRequest, stream: str) -> AbstractContextManager[Any]:
        return nullcontext(request.buffers[stream])

    def formats(self, device: Any) -> Mapping[str, Sequence[tuple[int, int]]]:
        return {"RGB888": [(640, 480), (1280, 720)], "YUV420": []}

    def raw_formats(self, camera_id: str) -> Mapping[str, Sequence[tuple[int, int]]]:
        formats: dict[str, list[tuple[int, int]]] = {}
        for mode in self.device.sensor.modes if self.device.sensor else ():
            formats.setdefault(mode.format, []).append(mode.size)
        return formats

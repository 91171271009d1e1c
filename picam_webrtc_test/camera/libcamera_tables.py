"""What libcamera's Raspberry Pi pipelines tell of cameras: controls before and after configure(), sensor modes.

Controls are (minimum, maximum, default) as `Picamera2.camera_controls` has them, those of raspberrypi/libcamera,
src/ipa/rpi/common/ipa_base.cpp, at the tag that each table names: `ipaControls`, `ipaColourControls`, `ipaAfControls`
and `platformControls` before configure(), and what `IpaBase::configure` and, for the crops,
src/libcamera/pipeline/rpi/common/pipeline_base.cpp (`PipelineHandlerBase::configure`) put in their place.
A default that is None is one that libcamera does not tell: `ControlInfo(false, true)`. One made of a list of values
has the first of them as its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Limits = tuple[Any, Any, Any]
Crop = tuple[int, int, int, int]

EMPTY: Crop = (0, 0, 0, 0)
ANY: Crop = (65535, 65535, 65535, 65535)

ADDED_V0_1_0: Mapping[str, Limits] = {
    "AeEnable": (False, True, None),
    "ExposureTime": (0, 66666, None),
    "AnalogueGain": (1.0, 16.0, None),
    "AeMeteringMode": (0, 3, 0),
    "AeConstraintMode": (0, 3, 0),
    "AeExposureMode": (0, 3, 0),
    "ExposureValue": (-8.0, 8.0, 0.0),
    "Brightness": (-1.0, 1.0, 0.0),
    "Contrast": (0.0, 32.0, 1.0),
    "Sharpness": (0.0, 16.0, 1.0),
    "ScalerCrop": (EMPTY, ANY, EMPTY),
    "FrameDurationLimits": (33333, 120000, None),
    "NoiseReductionMode": (0, 4, 0),
    "AwbEnable": (False, True, None),
    "AwbMode": (0, 7, 0),
    "ColourGains": (0.0, 32.0, None),
    "Saturation": (0.0, 32.0, 1.0),
    "AfMode": (0, 2, 0),
    "AfRange": (0, 2, 0),
    "AfSpeed": (0, 1, 0),
    "AfMetering": (0, 1, 0),
    "AfWindows": (EMPTY, ANY, EMPTY),
    "AfTrigger": (0, 1, 0),
    "AfPause": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}
ADDED_V0_3_1: Mapping[str, Limits] = {
    "AeFlickerMode": (0, 1, 0),
    "AeFlickerPeriod": (100, 1000000, None),
    "HdrMode": (0, 4, 0),
    "ScalerCrops": (EMPTY, ANY, EMPTY),
    "StatsOutputEnable": (False, True, False),
}
ADDED_V0_5_2: Mapping[str, Limits] = {
    "AeEnable": (False, True, True),
    "ExposureTimeMode": (0, 1, 0),
    "ExposureTime": (1, 66666, 20000),
    "AnalogueGainMode": (0, 1, 0),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "FrameDurationLimits": (33333, 120000, 33333),
    "SyncMode": (0, 2, 0),
    "SyncFrames": (1, 1000000, 100),
    "CnnEnableInputTensor": (False, True, False),
    "ColourCorrectionMatrix": (0.0, 8.0, None),
    "ColourTemperature": (100, 100000, None),
}
ADDED_V0_7_1: Mapping[str, Limits] = {
    "FrameDurationLimits": (33333, 250000000, (33333, 33333)),
    "AfWindows": (EMPTY, ANY, [EMPTY]),
    "SyncMode": (0, 2, 0),
    "SyncFrames": (100, 100000, 1000),
}
WITH_A_LENS = frozenset(name for name in ADDED_V0_1_0 if name.startswith("Af") or name == "LensPosition")


@dataclass(frozen=True)
class Libcamera:
    """One release: its table before configure(), and whether the modes of exposure exist (0.5 on)."""

    tag: str
    before: Mapping[str, Limits]
    exposure_modes: bool


V0_1_0 = Libcamera("v0.1.0", ADDED_V0_1_0, exposure_modes=False)
V0_3_1 = Libcamera("v0.3.1+rpt20240906", {**V0_1_0.before, **ADDED_V0_3_1}, exposure_modes=False)
V0_5_2 = Libcamera("v0.5.2+rpt20250903", {**V0_3_1.before, **ADDED_V0_5_2}, exposure_modes=True)
V0_7_1 = Libcamera("v0.7.1+rpt20260429", {**V0_5_2.before, **ADDED_V0_7_1}, exposure_modes=True)

PICAMERA2: Mapping[str, Libcamera] = {"0.3.12": V0_1_0, "0.3.20": V0_3_1, "0.3.31": V0_5_2, "0.3.38": V0_7_1}
"""Picamera2's releases with a libcamera of their time."""


@dataclass(frozen=True)
class Mode:
    """One sensor mode: output size [px], crop [sensor px], shortest frame [us], exposure limits [us], bits a sample."""

    size: tuple[int, int]
    crop: Crop
    frames_per_second: float
    exposure: tuple[int, int]
    bit_depth: int = 10
    format: str = "SRGGB10_CSI2P"

    @property
    def frame_durations(self) -> tuple[int, int]:
        return int(1e6 / self.frames_per_second), self.exposure[1] + 480


@dataclass(frozen=True)
class Sensor:
    model: str
    pixel_array: tuple[int, int]
    modes: tuple[Mode, ...]
    analogue_gain: tuple[float, float]
    lens: tuple[float, float, float] | None = None


IMX708 = Sensor(
    "imx708",
    (4608, 2592),
    (
        Mode((1536, 864), (768, 432, 3072, 1728), 120.13, (9, 77208384)),
        Mode((2304, 1296), (0, 0, 4608, 2592), 56.03, (13, 112015443)),
        Mode((4608, 2592), (0, 0, 4608, 2592), 14.35, (26, 220417486)),
    ),
    (1.1228, 16.0),
    (0.0, 15.0, 1.0),
)
"""Camera Module 3: modes and crops of raspberrypi/linux drivers/media/i2c/imx708.c (supported_modes_10bit_no_hdr, less
the pixel array's own corner); rates and exposures as `Picamera2.sensor_modes` reports them."""
IMX219 = Sensor(
    "imx219",
    (3280, 2464),
    (
        Mode((640, 480), (1000, 752, 1280, 960), 206.65, (75, 11766829)),
        Mode((1640, 1232), (0, 0, 3280, 2464), 41.85, (75, 11766829)),
        Mode((1920, 1080), (680, 692, 1920, 1080), 47.57, (75, 11766829)),
        Mode((3280, 2464), (0, 0, 3280, 2464), 21.19, (75, 11766829)),
        Mode((640, 480), (1000, 752, 1280, 960), 206.65, (75, 11766829), 8, "SRGGB8"),
        Mode((1640, 1232), (0, 0, 3280, 2464), 83.7, (75, 11766829), 8, "SRGGB8"),
        Mode((1920, 1080), (680, 692, 1920, 1080), 47.57, (75, 11766829), 8, "SRGGB8"),
        Mode((3280, 2464), (0, 0, 3280, 2464), 21.19, (75, 11766829), 8, "SRGGB8"),
    ),
    (1.0, 10.67),
)
"""Camera Module 2, as in raspberrypi/picamera2 issue 683."""
IMX477 = Sensor(
    "imx477",
    (4056, 3040),
    (
        Mode((1332, 990), (696, 528, 2664, 1980), 120.05, (31, 66512892)),
        Mode((2028, 1080), (0, 440, 4056, 2160), 50.03, (60, 127156999), 12, "SRGGB12_CSI2P"),
        Mode((2028, 1520), (0, 0, 4056, 3040), 40.01, (60, 127156999), 12, "SRGGB12_CSI2P"),
        Mode((4056, 3040), (0, 0, 4056, 3040), 10.0, (114, 239542228), 12, "SRGGB12_CSI2P"),
    ),
    (1.0, 22.26),
)
"""HQ camera, as in raspberrypi/rpicam-apps issue 336 and the Picamera2 manual, 4.2.2.3."""
OV5647 = Sensor(
    "ov5647",
    (2592, 1944),
    (
        Mode((640, 480), (16, 0, 2560, 1920), 58.92, (134, 4879289)),
        Mode((1296, 972), (0, 0, 2592, 1944), 43.25, (87, 3066985)),
        Mode((1920, 1080), (348, 434, 1928, 1080), 30.62, (110, 3066979)),
        Mode((2592, 1944), (0, 0, 2592, 1944), 15.63, (130, 3066985)),
    ),
    (1.0, 63.9375),
)
"""Camera Module 1, as `rpicam-hello --list-cameras` lists it."""
IMX500 = Sensor(
    "imx500",
    (4056, 3040),
    (
        Mode((2028, 1520), (0, 0, 4056, 3040), 30.02, (60, 127156999)),
        Mode((4056, 3040), (0, 0, 4056, 3040), 10.0, (114, 239542228)),
    ),
    (1.0, 22.26),
)
"""AI Camera: modes as `rpicam-hello --list-cameras` lists them; exposures and gains as if it were the HQ camera's."""


def before_configure(libcamera: Libcamera, sensor: Sensor, pisp: bool) -> dict[str, Limits]:
    """`IpaBase::init`: generic limits, whatever the sensor."""
    table = dict(libcamera.before)
    if libcamera.exposure_modes and not pisp:  # platformControls, which 0.3.1 had for everybody
        del table["ScalerCrops"]
    return table if sensor.lens else {name: limits for name, limits in table.items() if name not in WITH_A_LENS}


def after_configure(
    libcamera: Libcamera, sensor: Sensor, mode: Mode, crops: tuple[Crop, ...], smallest_crop: tuple[int, int]
) -> dict[str, Limits]:
    """`IpaBase::configure` and `PipelineHandlerBase::configure`: the limits of a sensor mode.

    `crops` has that of each output stream of a Raspberry Pi 5, or the one of all streams of those before it.
    """
    table = before_configure(libcamera, sensor, pisp=False)
    defaults = libcamera.exposure_modes
    frame_default = libcamera.before["FrameDurationLimits"][2]
    table["FrameDurationLimits"] = (*mode.frame_durations, frame_default)
    table["ExposureTime"] = (*mode.exposure, 20000 if defaults else None)
    table["AnalogueGain"] = (*sensor.analogue_gain, 1.0 if defaults else None)
    table["ScalerCrop"] = ((*mode.crop[:2], *smallest_crop), mode.crop, crops[0])
    if sensor.lens and defaults:
        table["LensPosition"] = sensor.lens
    table.pop("ScalerCrops", None)
    if len(crops) == 2:
        table["ScalerCrops"] = (crops[0], crops[1], crops[0])
    return table


IMX708_CONTROLS = after_configure(V0_7_1, IMX708, IMX708.modes[0], (IMX708.modes[0].crop,), (64, 64))
"""A Camera Module 3 in the mode that libcamera takes for 1280x720, on a Raspberry Pi 4."""

ARRAY_SIZES: Mapping[str, int] = {
    "FrameDurationLimits": 2,
    "ColourGains": 2,
    "ColourCorrectionMatrix": 9,
    "AfWindows": 2**64 - 1,
    "ScalerCrops": 2**64 - 1,
}
"""control_ids_*.yaml: `size`, [n] being the largest size_t."""
ENUMERATORS: Mapping[str, Mapping[int, str]] = {
    "AfMode": {0: "AfModeManual", 1: "AfModeAuto", 2: "AfModeContinuous"},
    "NoiseReductionMode": {
        0: "NoiseReductionModeOff",
        1: "NoiseReductionModeFast",
        2: "NoiseReductionModeHighQuality",
        3: "NoiseReductionModeMinimal",
        4: "NoiseReductionModeZSL",
    },
}
"""control_ids_core.yaml and control_ids_draft.yaml, two of them."""

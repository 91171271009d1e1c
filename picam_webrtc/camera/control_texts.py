"""What libcamera's controls mean, in a line each; libcamera itself hands out names, types and limits only.

After https://libcamera.org/api-html/namespacelibcamera_1_1controls.html
"""

from collections.abc import Mapping
from types import MappingProxyType

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "AeEnable": "auto-exposure; true also releases a fixed ExposureTime and AnalogueGain",
        "AeConstraintMode": "what auto-exposure protects: highlights, shadows",
        "AeExposureMode": "how auto-exposure divides between exposure time and gain",
        "AeFlickerMode": "whether auto-exposure avoids the flicker of lamps",
        "AeFlickerPeriod": "period of the lamps' flicker [us]; 10000 for 50 Hz mains, 8333 for 60 Hz",
        "AeMeteringMode": "where in the picture auto-exposure measures",
        "AfMetering": "whether auto-focus looks at the whole picture or at AfWindows",
        "AfMode": "auto-focus: by hand (LensPosition), once (AfTrigger), or always",
        "AfPause": "pauses or resumes continuous auto-focus",
        "AfRange": "distances that auto-focus searches",
        "AfSpeed": "how fast auto-focus moves the lens",
        "AfTrigger": "starts or cancels one auto-focus scan",
        "AfWindows": "x, y, width, height [sensor px] of each window that auto-focus looks at",
        "AnalogueGain": "gain of the sensor, 1 is none; 0 leaves it to auto-exposure",
        "AwbEnable": "auto white balance; true also releases fixed ColourGains and ColourTemperature",
        "AwbMode": "the light that auto white balance expects",
        "Brightness": "added to every pixel, 0 is none",
        "ColourCorrectionMatrix": "3 x 3 matrix from the camera's RGB to standard RGB, by rows; needs AwbEnable false",
        "ColourGains": "gains of red and of blue; setting them ends auto white balance and replaces ColourTemperature",
        "ColourTemperature": "colour of the light [K]; setting it ends auto white balance and replaces ColourGains",
        "Contrast": "1 is none",
        "ExposureTime": "exposure time [us]; 0 leaves it to auto-exposure",
        "ExposureValue": "brighter or darker than auto-exposure would have it [EV]",
        "FrameDurationLimits": "shortest and longest time between frames [us]; replaces frame_rate",
        "Gamma": "exponent of the tone curve",
        "HdrMode": "high dynamic range from several exposures",
        "Hue": "turns all colours [degree]",
        "LensPosition": "focus [1/m]: 0 is infinity, 2 is half a metre; needs AfMode 0",
        "NoiseReductionMode": "how much time the noise reduction may take",
        "Saturation": "1 is normal, 0 is grey",
        "ScalerCrop": "x, y, width, height [sensor px] of what is shown: digital zoom",
        "Sharpness": "1 is normal, 0 is none",
    }
)

ARRAY_LENGTHS: Mapping[str, int] = MappingProxyType(
    {"ColourGains": 2, "FrameDurationLimits": 2, "ColourCorrectionMatrix": 9}
)
"""For libcamera's older Python bindings, which do not tell."""

HIDDEN = frozenset({"ExposureTimeMode", "AnalogueGainMode", "ScalerCrops"})
"""Picamera2 sets the modes itself: automatic when ExposureTime or AnalogueGain is 0, else manual. ScalerCrops, one crop
for each stream of a Raspberry Pi 5, follow from ScalerCrop."""

TRIGGERS = frozenset({"AfTrigger", "AfPause"})
"""Setting one starts, cancels, pauses or resumes something at that moment; its default says nothing."""

SIGNED = frozenset({"ColourCorrectionMatrix"})
"""libcamera's Raspberry Pi table declares 0 to 8 and takes negative numbers, without which no matrix is of use
(src/ipa/rpi/common/ipa_base.cpp, ipaColourControls; libcamera checks no range)."""

AUTOMATIC_AT_ZERO = frozenset({"ExposureTime", "AnalogueGain"})
"""0 is below their range and means that auto-exposure decides."""

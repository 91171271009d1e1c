"""What becomes of control lists inside libcamera: a stand-in for the Raspberry Pi IPA, which remembers them.

After raspberrypi/libcamera at v0.7.1+rpt20260429: `Camera::patchControlList` (src/libcamera/camera.cpp),
`IpaBase::applyControls` (src/ipa/rpi/common/ipa_base.cpp), `CameraData::applyScalerCrop`
(src/libcamera/pipeline/rpi/common/pipeline_base.cpp); for releases before 0.5 at v0.3.1+rpt20240906: `applyControls`
and `AgcChannel` (src/ipa/rpi/controller/rpi/agc_channel.cpp). A control list is an unordered map there: what depends
on its order works by chance, so lists are applied in two orders and must come out the same.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MANUAL, AUTOMATIC = 1, 0
SEEN_BY_AUTO_EXPOSURE = 12345
"""What a held exposure is held at: what auto-exposure had found."""


@dataclass
class State:
    """What the camera does. An exposure or gain of 0 is automatic."""

    exposure: int = 0
    gain: float = 0.0
    white_balance: Any = "automatic"
    matrix: Any = "automatic"
    crops: tuple[Any, ...] = ()
    focus: Any = 0
    lens: Any = None
    other: dict[str, Any] = field(default_factory=dict)
    triggered: list[tuple[str, Any]] = field(default_factory=list)


class Ipa:
    """Lives as long as libcamera's camera manager: closing a camera leaves it as it was told to be."""

    def __init__(self, exposure_modes: bool) -> None:
        self._exposure_modes = exposure_modes
        self.state = State()

    def apply(self, controls: Mapping[str, Any]) -> None:
        forwards, backwards = copy.deepcopy(self.state), copy.deepcopy(self.state)
        self._apply(forwards, controls)
        self._apply(backwards, dict(reversed(list(controls.items()))))
        assert forwards == backwards, f"depends on the order of a list that has none: {dict(controls)}"
        self.state = forwards

    def _apply(self, state: State, controls: Mapping[str, Any]) -> None:
        if "AfMode" in controls:
            state.focus = controls["AfMode"]
        if self._exposure_modes:
            self._apply_exposure_modes(state, controls)
            self._apply_white_balance_first(state, controls)
        for name, value in controls.items():
            self._apply_one(state, name, value)
        if "ScalerCrops" in controls:
            state.crops = tuple(controls["ScalerCrops"])
        elif "ScalerCrop" in controls:
            state.crops = tuple(_applied(controls["ScalerCrop"]) for _ in state.crops or (None,))

    def _apply_exposure_modes(self, state: State, controls: Mapping[str, Any]) -> None:
        modes = dict.fromkeys(("ExposureTimeMode", "AnalogueGainMode"), None) | dict(controls)
        if "AeEnable" in controls:
            for name in ("ExposureTimeMode", "AnalogueGainMode"):
                modes[name] = controls.get(name, AUTOMATIC if controls["AeEnable"] else MANUAL)
        if modes["ExposureTimeMode"] is not None:
            held = modes["ExposureTimeMode"] == MANUAL
            state.exposure = (state.exposure or SEEN_BY_AUTO_EXPOSURE) if held else 0
        if modes["AnalogueGainMode"] is not None:
            held = modes["AnalogueGainMode"] == MANUAL
            state.gain = (state.gain or SEEN_BY_AUTO_EXPOSURE) if held else 0.0

    @staticmethod
    def _apply_white_balance_first(state: State, controls: Mapping[str, Any]) -> None:
        if "AwbEnable" in controls:
            state.white_balance = "automatic" if controls["AwbEnable"] else "held"
            if controls["AwbEnable"]:
                state.matrix = "automatic"
        if "ColourGains" in controls:
            state.white_balance = controls["ColourGains"]
        if "ColourTemperature" in controls:
            state.white_balance = controls["ColourTemperature"]

    def _apply_one(self, state: State, name: str, value: Any) -> None:
        match name:
            case "ExposureTime":
                if not self._exposure_modes or state.exposure:
                    state.exposure = value
            case "AnalogueGain":
                if not self._exposure_modes or state.gain:
                    state.gain = value
            case "AeEnable" if not self._exposure_modes:
                state.exposure = 0 if value else state.exposure or SEEN_BY_AUTO_EXPOSURE
                state.gain = 0.0 if value else state.gain or SEEN_BY_AUTO_EXPOSURE
            case "AwbEnable" if not self._exposure_modes:
                if value:
                    state.white_balance = "automatic"
                elif state.white_balance == "automatic":
                    state.white_balance = "held"
            case "ColourGains" if not self._exposure_modes:
                state.white_balance = value
            case "ColourCorrectionMatrix":
                if state.white_balance != "automatic":
                    state.matrix = value
            case "LensPosition":
                if state.focus == 0:
                    state.lens = value
            case "AfTrigger" | "AfPause":
                state.triggered.append((name, value))
            case "AfMode" | "AeEnable" | "AwbEnable" | "ColourGains" | "ColourTemperature":
                pass
            case "ExposureTimeMode" | "AnalogueGainMode" | "ScalerCrop" | "ScalerCrops":
                pass
            case _:
                state.other[name] = value


def _applied(crop: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A crop without an area becomes the smallest there is."""
    return crop if crop[2] and crop[3] else (0, 0, 1, 1)

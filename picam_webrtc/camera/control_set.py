"""A camera's controls together: what follows from changing one, because they depend on each other.

The rules are libcamera's and Picamera2's own; here they are applied to the parameters too, so that these
show what the camera does, and are said in words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from picam_webrtc.camera.controls import INT32_MAX, Control, ControlValue, differing
from picam_webrtc.errors import SettingError

EXPOSURE = ("ExposureTime", "AnalogueGain")
WHITE_BALANCE = ("ColourGains", "ColourTemperature")
AF_MODE_MANUAL = 0

NEEDS: Mapping[str, tuple[str, ControlValue]] = {
    "AeConstraintMode": ("AeEnable", True),
    "AeExposureMode": ("AeEnable", True),
    "AeMeteringMode": ("AeEnable", True),
    "ExposureValue": ("AeEnable", True),
    "AeFlickerPeriod": ("AeFlickerMode", 1),
    "AfPause": ("AfMode", 2),
    "AfTrigger": ("AfMode", 1),
    "AfWindows": ("AfMetering", 1),
    "AwbMode": ("AwbEnable", True),
    "LensPosition": ("AfMode", AF_MODE_MANUAL),
}
"""Control → the control and its value without which libcamera ignores it."""


@dataclass(slots=True)
class Plan:
    """What a change amounts to: `values` of parameters, what to `send` to the camera, and `notes` for the user."""

    values: dict[str, ControlValue]
    send: dict[str, ControlValue]
    notes: list[str] = field(default_factory=list)

    def derive(self, name: str, value: ControlValue, note: str) -> None:
        self.values[name] = value
        self.notes.append(note)


class ControlSet:
    """The controls of one camera and the values that their parameters have now."""

    def __init__(self, controls: Sequence[Control], frame_duration_us: int = INT32_MAX) -> None:
        self.controls = {control.name: control for control in controls}
        self.values: dict[str, ControlValue] = {control.name: control.initial for control in controls}
        self._frame_duration_us = frame_duration_us

    def plan(self, changes: Mapping[str, object]) -> Plan:
        """What to do to make `changes`. Raises SettingError when one is impossible; changes nothing yet."""
        checked = {name: self._control(name, value).check(value) for name, value in changes.items()}
        return self._plan(self.values, {name: value for name, value in checked.items() if value != self.values[name]})

    def commit(self, plan: Plan) -> dict[str, Any]:
        """Take the values over; what to hand to `Picamera2.set_controls`."""
        self.values.update(plan.values)
        return self._for_camera(plan.send)

    def all_for_camera(self) -> dict[str, Any]:
        """What a camera that was just opened must be told to be as the parameters say."""
        initial = {control.name: control.initial for control in self.controls.values()}
        return self._for_camera(self._plan(initial, differing(self.values, self.controls.values())).send)

    def _control(self, name: str, value: object) -> Control:
        try:
            return self.controls[name]
        except KeyError:
            known = ", ".join(self.controls) or "none"
            raise SettingError(name, value, f"this camera has no such control; it has: {known}") from None

    def _plan(self, before: Mapping[str, ControlValue], changes: dict[str, ControlValue]) -> Plan:
        plan = Plan(dict(changes), dict(changes))
        for rule in RULES:
            rule(plan, {**before, **plan.values})
        self._note_long_exposure(plan)
        return plan

    def _for_camera(self, send: Mapping[str, ControlValue]) -> dict[str, Any]:
        prepared = {name: self.controls[name].for_camera(value) for name, value in send.items() if value != ()}
        released = {name: self._released(name) for name, value in send.items() if value == ()}
        return prepared | {name: default for name, default in released.items() if default is not None}

    def _released(self, name: str) -> Any:
        """What leaves an array control to the camera again; None when nothing does until it is reopened."""
        own = (self._frame_duration_us, self._frame_duration_us)
        return own if name == "FrameDurationLimits" else self.controls[name].default

    def _note_long_exposure(self, plan: Plan) -> None:
        now = {**self.values, **plan.values}
        limits = now.get("FrameDurationLimits")
        longest_us = limits[1] if isinstance(limits, tuple) and limits else self._frame_duration_us
        exposure_us = plan.values.get("ExposureTime", 0)
        if isinstance(exposure_us, int) and exposure_us > longest_us:
            plan.notes.append(
                f"ExposureTime is cut to the {longest_us} us of a frame; lower frame_rate for longer ones"
            )


def _release_exposure(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """AeEnable true takes back what was fixed before."""
    if plan.values.get("AeEnable") is not True:
        return
    for name in EXPOSURE:
        if now.get(name) and name not in plan.values:
            automatic = 0 if name == "ExposureTime" else 0.0
            plan.send[name] = automatic
            plan.derive(name, automatic, f"AeEnable true releases {name}")


def _fix_exposure(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """ExposureTime and AnalogueGain each take one half of the exposure from auto-exposure, or give it back."""
    changed = [name for name in EXPOSURE if name in plan.values]
    if "AeEnable" not in now or not changed:
        return
    handed_back = [name for name in changed if not now[name]]
    if all(now.get(name) for name in EXPOSURE):
        if now["AeEnable"]:
            plan.send.pop("AeEnable", None)
            plan.derive("AeEnable", False, "ExposureTime and AnalogueGain are both fixed: AeEnable is false")
    elif now["AeEnable"] and len(handed_back) < len(changed):
        plan.notes.append(f"{' and '.join(changed)} fixed; auto-exposure goes on with what is left to it")
    elif handed_back and not now["AeEnable"] and "AeEnable" not in plan.values:
        plan.derive("AeEnable", True, f"{' and '.join(handed_back)} 0 is left to auto-exposure: AeEnable is true")


def _white_balance(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """Fixed gains or a fixed colour temperature replace auto white balance, and the other way round."""
    if "AwbEnable" not in now:
        return
    fixed = [name for name in WHITE_BALANCE if plan.values.get(name)]
    if fixed:
        plan.send["AwbEnable"] = False
        if now["AwbEnable"]:
            plan.derive("AwbEnable", False, f"{' and '.join(fixed)} end auto white balance: AwbEnable is false")
    elif plan.values.get("ColourGains") == ():
        plan.send["AwbEnable"] = True
        if not now["AwbEnable"]:
            plan.derive("AwbEnable", True, "without ColourGains white balance is automatic: AwbEnable is true")
    elif plan.values.get("AwbEnable") is True and now.get("ColourGains"):
        plan.derive("ColourGains", (), "AwbEnable true releases ColourGains")


def _focus(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """The lens is set by hand in manual mode only; a position given earlier is taken up then."""
    if "AfMode" not in now or "LensPosition" not in now:
        return
    if now["AfMode"] != AF_MODE_MANUAL:
        plan.send.pop("LensPosition", None)
    elif "AfMode" in plan.values:
        plan.send["LensPosition"] = now["LensPosition"]


def _ineffective(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    for name in plan.values:
        other, needed = NEEDS.get(name, ("", 0))
        if other in now and now[other] != needed:
            plan.notes.append(f"{name} has no effect until {other} is {str(needed).lower()}")


def _frame_duration(plan: Plan, _now: Mapping[str, ControlValue]) -> None:
    if plan.values.get("FrameDurationLimits"):
        plan.notes.append("FrameDurationLimits replaces frame_rate")


Rule = Callable[[Plan, Mapping[str, ControlValue]], None]
RULES: tuple[Rule, ...] = (_release_exposure, _fix_exposure, _white_balance, _focus, _ineffective, _frame_duration)

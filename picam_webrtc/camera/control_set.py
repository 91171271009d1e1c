"""A camera's controls together: what follows from changing one, because they depend on each other.

The rules are libcamera's and Picamera2's own; here they are applied to the parameters too, so that these
show what the camera does, and are said in words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from picam_webrtc.camera.controls import INT32_MAX, RECTANGLE, Control, ControlValue
from picam_webrtc.errors import SettingError

AUTOMATIC: Mapping[str, ControlValue] = {"ExposureTime": 0, "AnalogueGain": 0.0}
EXPOSURE = tuple(AUTOMATIC)
WHITE_BALANCE = ("ColourGains", "ColourTemperature")
AF_MODE_MANUAL = 0
OWN_WAY = frozenset({"FrameDurationLimits", "ScalerCrop"})
"""What configuring a camera sets anew, so that nothing of an earlier opening is left of it."""

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
    "ColourCorrectionMatrix": ("AwbEnable", False),
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

    def __init__(
        self,
        controls: Sequence[Control],
        frame_duration_us: int = INT32_MAX,
        preset: Mapping[str, ControlValue] | None = None,
    ) -> None:
        """`preset` is what the configuration itself sets, whatever libcamera's defaults are: Picamera2's video
        configuration has a noise reduction of its own."""
        self.controls = {control.name: control for control in controls}
        known = {name: value for name, value in (preset or {}).items() if name in self.controls}
        self.values: dict[str, ControlValue] = {control.name: control.initial for control in controls} | known
        self._frame_duration_us = frame_duration_us
        self._told: set[str] = set()

    def plan(self, changes: Mapping[str, object]) -> Plan:
        """What to do to make `changes`. Raises SettingError when one is impossible; changes nothing yet.

        All of them are sent, those too that change nothing: only the camera knows what it does by itself.
        """
        checked = {name: self._control(name, value).check(value) for name, value in changes.items()}
        plan = Plan(dict(checked), dict(checked))
        for rule in RULES:
            rule(plan, {**self.values, **plan.values})
        self._note_long_exposure(plan)
        return plan

    def commit(self, plan: Plan) -> dict[str, Any]:
        """Take the values over; what to hand to `Picamera2.set_controls`."""
        self.values.update(plan.values)
        self._told.update(plan.values, plan.send)
        prepared = {name: self._for_camera(name, value) for name, value in plan.send.items()}
        return {name: value for name, value in prepared.items() if value is not None}

    def all_for_camera(self) -> dict[str, Any]:
        """What a camera that was just opened must be told to be as the parameters say.

        All that was ever set is told again, as it is now: libcamera may remember what it was told before.
        What was never set is left to the camera, and what triggers something is not done again.
        """
        told = {name: self.values[name] for name in self.controls if name in self._told}
        told = {name: value for name, value in told.items() if not self.controls[name].is_trigger}
        for rule in STANDING_RULES:
            rule(told, self.values)
        fresh = {name: value for name, value in told.items() if not (name in OWN_WAY and value == ())}
        prepared = {name: self._for_camera(name, value) for name, value in fresh.items()}
        return {name: value for name, value in prepared.items() if value is not None}

    def released(self, name: str) -> Any:
        """What leaves an array control to the camera again; None when nothing does until it is reopened."""
        if name == "FrameDurationLimits":
            return (self._frame_duration_us, self._frame_duration_us)
        default = self.controls[name].default
        return None if name == "ScalerCrop" and _is_empty(default) else default

    def _control(self, name: str, value: object) -> Control:
        try:
            return self.controls[name]
        except KeyError:
            known = ", ".join(self.controls) or "none"
            raise SettingError(name, value, f"this camera has no such control; it has: {known}") from None

    def _for_camera(self, name: str, value: ControlValue) -> Any:
        return self.released(name) if value == () else self.controls[name].for_camera(value)

    def _note_long_exposure(self, plan: Plan) -> None:
        now = {**self.values, **plan.values}
        limits = now.get("FrameDurationLimits")
        longest_us = limits[1] if isinstance(limits, tuple) and limits else self._frame_duration_us
        exposure_us = plan.values.get("ExposureTime", 0)
        if isinstance(exposure_us, int) and exposure_us > longest_us:
            plan.notes.append(
                f"ExposureTime is cut to the {longest_us} us of a frame; lower frame_rate for longer ones"
            )


def _is_empty(rectangle: Any) -> bool:
    """libcamera's table before configure() has such a default, and takes it for the smallest crop there is."""
    return isinstance(rectangle, tuple) and len(rectangle) == RECTANGLE and 0 in rectangle[2:]


def _release_exposure(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """AeEnable true takes back what was fixed before."""
    if plan.values.get("AeEnable") is not True:
        return
    for name in EXPOSURE:
        if now.get(name) and name not in plan.values:
            plan.send[name] = AUTOMATIC[name]
            plan.derive(name, AUTOMATIC[name], f"AeEnable true releases {name}")


def _fix_exposure(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """ExposureTime and AnalogueGain each take one half of the exposure from auto-exposure, or give it back."""
    changed = [name for name in EXPOSURE if name in plan.values]
    if "AeEnable" not in now or not changed:
        return
    handed_back = [name for name in changed if not now[name]]
    if plan.send.get("AeEnable") is True and len(handed_back) < len(changed):
        # Before libcamera 0.5 it would release what is fixed beside it, whichever of the two comes last.
        del plan.send["AeEnable"]
        plan.send.update({name: AUTOMATIC[name] for name in EXPOSURE if name in now and not now[name]})
    if all(now.get(name) for name in EXPOSURE):
        plan.send.pop("AeEnable", None)
        if now["AeEnable"] is not False:
            plan.derive("AeEnable", False, "ExposureTime and AnalogueGain are both fixed: AeEnable is false")
    elif now["AeEnable"] is not False and len(handed_back) < len(changed):
        plan.notes.append(f"{' and '.join(changed)} fixed; auto-exposure goes on with what is left to it")
    elif handed_back and now["AeEnable"] is False and "AeEnable" not in plan.values:
        plan.derive("AeEnable", True, f"{' and '.join(handed_back)} 0 is left to auto-exposure: AeEnable is true")


def _white_balance(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """Fixed gains or a fixed colour temperature replace auto white balance and each other, and the other way round."""
    if "AwbEnable" not in now:
        return
    fixed = [name for name in WHITE_BALANCE if plan.values.get(name)]
    given_up = [name for name in WHITE_BALANCE if name in plan.values and name not in fixed]
    if fixed:
        plan.send["AwbEnable"] = False
        if now["AwbEnable"] is not False:
            plan.derive("AwbEnable", False, f"{' and '.join(fixed)} end auto white balance: AwbEnable is false")
        _let_go(plan, now, [name for name in WHITE_BALANCE if name not in fixed], f"{fixed[-1]} replaces")
        if len(fixed) == len(WHITE_BALANCE):
            _let_go(plan, now, ["ColourGains"], "ColourTemperature replaces")
    elif plan.values.get("AwbEnable") is True:
        _let_go(plan, now, WHITE_BALANCE, "AwbEnable true releases")
    elif given_up and not any(now.get(name) for name in WHITE_BALANCE) and "AwbEnable" not in plan.values:
        plan.send["AwbEnable"] = True
        if now["AwbEnable"] is not True:
            note = f"without {' and '.join(given_up)} white balance is automatic: AwbEnable is true"
            plan.derive("AwbEnable", True, note)
    for name in given_up:
        plan.send.pop(name, None)


def _let_go(plan: Plan, now: Mapping[str, ControlValue], names: Sequence[str], because: str) -> None:
    for name in names:
        plan.send.pop(name, None)
        if now.get(name):
            plan.derive(name, () if name == "ColourGains" else None, f"{because} {name}")


def _focus(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """The lens is set by hand in manual mode only; a position given earlier is taken up then."""
    if "AfMode" not in now or "LensPosition" not in now:
        return
    if now["AfMode"] != AF_MODE_MANUAL:
        plan.send.pop("LensPosition", None)
    elif "AfMode" in plan.values:
        plan.send["LensPosition"] = now["LensPosition"]


def _matrix(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    """A colour matrix counts without auto white balance only; one given earlier is taken up then."""
    if "AwbEnable" not in now or "ColourCorrectionMatrix" not in now:
        return
    if now["AwbEnable"] is not False:
        plan.send.pop("ColourCorrectionMatrix", None)
    elif plan.values.get("AwbEnable") is False and now["ColourCorrectionMatrix"]:
        plan.send["ColourCorrectionMatrix"] = now["ColourCorrectionMatrix"]


def _ineffective(plan: Plan, now: Mapping[str, ControlValue]) -> None:
    for name, value in plan.values.items():
        other, needed = NEEDS.get(name, ("", 0))
        if other in now and now[other] is not None and now[other] != needed and value not in ((), None):
            plan.notes.append(f"{name} has no effect until {other} is {str(needed).lower()}")


def _frame_duration(plan: Plan, _now: Mapping[str, ControlValue]) -> None:
    if plan.values.get("FrameDurationLimits"):
        plan.notes.append("FrameDurationLimits replaces frame_rate")


Rule = Callable[[Plan, Mapping[str, ControlValue]], None]
RULES: tuple[Rule, ...] = (
    _release_exposure,
    _fix_exposure,
    _white_balance,
    _focus,
    _matrix,
    _ineffective,
    _frame_duration,
)
"""For a change, in this order."""


def _standing_exposure(told: dict[str, Any], values: Mapping[str, ControlValue]) -> None:
    """What is fixed, and either that the rest is automatic or that it is held, in words that do not contradict."""
    fixed = [name for name in EXPOSURE if values.get(name)]
    for name in EXPOSURE:
        if name in values and name not in fixed:
            if values.get("AeEnable") is False:
                told.pop(name, None)  # 0 would hand it back to auto-exposure
            elif fixed and "AeEnable" in told:
                told[name] = AUTOMATIC[name]
    if len(fixed) == len(EXPOSURE) or (fixed and values.get("AeEnable") is True):
        told.pop("AeEnable", None)


def _standing_matrix(told: dict[str, Any], values: Mapping[str, ControlValue]) -> None:
    """A colour matrix counts without auto white balance only."""
    if "AwbEnable" in values and values["AwbEnable"] is not False:
        told.pop("ColourCorrectionMatrix", None)


def _standing_focus(told: dict[str, Any], values: Mapping[str, ControlValue]) -> None:
    if values.get("AfMode", AF_MODE_MANUAL) != AF_MODE_MANUAL:
        told.pop("LensPosition", None)


StandingRule = Callable[[dict[str, Any], Mapping[str, ControlValue]], None]
STANDING_RULES: tuple[StandingRule, ...] = (_standing_exposure, _standing_matrix, _standing_focus)
"""For a camera that is told everything anew."""

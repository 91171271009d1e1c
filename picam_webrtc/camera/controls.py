"""libcamera's controls as values that can be checked before the camera sees them.

Picamera2 takes a wrong-typed value without a word and its event loop dies of it later, so type, length
and range are checked here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from typing import Any

from picam_webrtc.camera.control_texts import ARRAY_LENGTHS, AUTOMATIC_AT_ZERO, DESCRIPTIONS, HIDDEN, SIGNED, TRIGGERS
from picam_webrtc.errors import SettingError

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
RECTANGLE = 4
"""Numbers of a rectangle: x, y, width, height."""

ControlValue = bool | int | float | tuple[int, ...] | tuple[float, ...] | None
"""None and, for an array control, () are what nobody has set: unknown, and left to the camera."""


class Kind(Enum):
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    INTS = "list of ints"
    FLOATS = "list of floats"
    RECTANGLES = "list of ints, x, y, width, height each"


@dataclass(frozen=True, slots=True)
class Control:
    """One control of one camera. `length` counts an array's numbers; 0 for a scalar or an array of any length.

    `minimum` and `maximum` are inclusive and hold for every number of an array; for rectangles they are
    the smallest size and the frame that must enclose them.
    """

    name: str
    kind: Kind
    minimum: Any = None
    maximum: Any = None
    default: Any = None
    length: int = 0
    choices: Mapping[int, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        text = DESCRIPTIONS.get(self.name, f"libcamera's control {self.name}")
        if self.choices:
            text += f" ({', '.join(f'{number}: {name}' for number, name in sorted(self.choices.items()))})"
        if self.is_array:
            return f"{text}; empty leaves it to the camera"
        return f"{text}; not set leaves it to the camera" if self.initial is None else text

    @property
    def is_array(self) -> bool:
        return self.kind in (Kind.INTS, Kind.FLOATS, Kind.RECTANGLES)

    @property
    def lowest(self) -> Any:
        """The minimum, or the 0 below it that means automatic."""
        return 0 if self.name in AUTOMATIC_AT_ZERO else self.minimum

    @property
    def is_trigger(self) -> bool:
        """Whether setting it makes something happen, each time, rather than become so."""
        return self.name in TRIGGERS

    @property
    def initial(self) -> ControlValue:
        """What the camera does unless told otherwise, as far as libcamera says it."""
        if self.is_array:
            return ()
        if self.name in AUTOMATIC_AT_ZERO:
            return 0 if self.kind is Kind.INT else 0.0
        if self.default is None or self.is_trigger:
            return None
        if self.kind is Kind.BOOL:
            return bool(self.default)
        return int(self.default) if self.kind is Kind.INT else float(self.default)

    def check(self, value: object) -> ControlValue:
        """`value` in the control's type; None leaves it to the camera.

        Raises SettingError saying what would be right.
        """
        if self.is_array:
            return self._checked_array(() if value is None else value)
        if value is None:
            return self.initial
        if self.kind is Kind.BOOL:
            if isinstance(value, bool):
                return value
            raise SettingError(self.name, value, "must be of type bool")
        number = self._number(value)
        if not (self.name in AUTOMATIC_AT_ZERO and number == 0):
            self._check_range(number, value)
        return number

    def for_camera(self, value: ControlValue) -> Any:
        """`value` as Picamera2 takes it: a single rectangle as one tuple, several as a list of them."""
        if self.kind is not Kind.RECTANGLES or self.length == RECTANGLE or not isinstance(value, tuple):
            return value
        return [value[start : start + RECTANGLE] for start in range(0, len(value), RECTANGLE)]

    def _number(self, value: object) -> int | float:
        whole = self.kind in (Kind.INT, Kind.INTS, Kind.RECTANGLES)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise SettingError(self.name, value, f"must be of type {self.kind.value}")
        number = value if whole else float(value)
        if not isfinite(number) or (whole and not -(2**63) <= number < 2**63):
            raise SettingError(self.name, value, "must be a finite number")
        return number

    def _check_range(self, number: int | float, value: object) -> None:
        low, high = self.minimum, self.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            zero = " (or 0: automatic)" if self.name in AUTOMATIC_AT_ZERO else ""
            raise SettingError(self.name, value, f"must be from {low:.9g} to {high:.9g}{zero}")
        if self.choices and number not in self.choices:
            raise SettingError(self.name, value, f"must be one of {', '.join(map(str, sorted(self.choices)))}")

    def _checked_array(self, value: object) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SettingError(self.name, value, f"must be a {self.kind.value}")
        numbers = tuple(self._number(number) for number in value)
        if not numbers:
            return numbers
        if (self.length and len(numbers) != self.length) or (self.kind is Kind.RECTANGLES and len(numbers) % RECTANGLE):
            wanted = str(self.length) if self.length else f"{RECTANGLE} for each rectangle"
            raise SettingError(self.name, value, f"must have {wanted} numbers, not {len(numbers)}")
        if self.kind is Kind.RECTANGLES:
            self._check_rectangles(numbers, value)
        else:
            for number in numbers:
                self._check_range(number, value)
        if self.name == "FrameDurationLimits" and numbers[0] > numbers[1]:
            raise SettingError(self.name, value, "the shortest duration comes first")
        return numbers

    def _check_rectangles(self, numbers: tuple[Any, ...], value: object) -> None:
        if not (_is_rectangle(self.minimum) and _is_rectangle(self.maximum)):
            return
        left, top, width, height = self.maximum
        for start in range(0, len(numbers), RECTANGLE):
            x, y, w, h = numbers[start : start + RECTANGLE]
            inside = left <= x and top <= y and x + w <= left + width and y + h <= top + height
            if not inside or w < self.minimum[2] or h < self.minimum[3]:
                limits = f"within {left}, {top}, {width}, {height} and at least {self.minimum[2]} x {self.minimum[3]}"
                raise SettingError(self.name, value, f"each rectangle must lie {limits}")


def _is_rectangle(limit: Any) -> bool:
    return isinstance(limit, tuple) and len(limit) == RECTANGLE and limit[2] > 0


def controls_of(limits: Mapping[str, tuple[Any, Any, Any]], ids: Mapping[str, Any]) -> tuple[Control, ...]:
    """From `Picamera2.camera_controls` (name → minimum, maximum, default) and libcamera's `ControlId`s by name.

    Controls of a type that no ROS parameter has are left out.
    """
    found = (_control(name, limits[name], ids.get(name)) for name in sorted(limits) if name not in HIDDEN)
    return tuple(control for control in found if control is not None)


def _control(name: str, limits: tuple[Any, Any, Any], control_id: Any) -> Control | None:
    low, high, default = limits
    kind = _kind(low, high)
    if kind is None:
        return None
    length = ARRAY_LENGTHS.get(name, 0)
    if bool(getattr(control_id, "isArray", length)):
        size = getattr(control_id, "size", length)
        length = size if size < INT32_MAX else 0  # libcamera says "any number" with the largest size_t
        kind = {Kind.INT: Kind.INTS, Kind.FLOAT: Kind.FLOATS}.get(kind, kind)
    elif kind is Kind.RECTANGLES:
        length = RECTANGLE
    choices = {} if kind is not Kind.INT else _choices(control_id, low, high)
    return Control(name, kind, *_limits(name, kind, low, high), default, length, choices)


def _kind(low: Any, high: Any) -> Kind | None:
    for limit in (low, high):
        match limit:
            case bool():
                return Kind.BOOL
            case float():
                return Kind.FLOAT
            case int():
                return Kind.INT
            case (int(), int(), int(), int()):
                return Kind.RECTANGLES
    return None


def _limits(name: str, kind: Kind, low: Any, high: Any) -> tuple[Any, Any]:
    if name in SIGNED:
        return (-high if low is not None and low >= 0 else low), high
    if kind in (Kind.INT, Kind.INTS):
        return (INT32_MIN if low is None else low), (INT32_MAX if high is None else high)
    return low, high


def _choices(control_id: Any, low: int | None, high: int | None) -> dict[int, str]:
    """libcamera's names of a control's values, of those that this camera knows."""
    names = getattr(control_id, "enumerators", None)
    known: Mapping[int, str] = (names() if callable(names) else names) or {}
    return {n: name for n, name in known.items() if (low is None or n >= low) and (high is None or n <= high)}

"""How settings classes declare parameters: type, default, range and description of each, checked in one way."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from math import isfinite
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

from picam_webrtc.errors import SettingError

ParameterValue = bool | int | float | str | tuple[str, ...]


class PathKind(Enum):
    """What a text that names a file or folder may be; `paths.with_paths` makes an absolute path of it."""

    PATH = "a path"
    PATH_OR_NAME = "a path, or the name of something that is found elsewhere"


@dataclass(frozen=True, slots=True)
class Param:
    """What a parameter means and which values it takes; limits are inclusive."""

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    path: PathKind | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """One parameter, ready to be declared: `type` is bool, int, float, str or tuple (of strings)."""

    name: str
    type: type
    default: ParameterValue
    param: Param

    def check(self, value: object) -> ParameterValue:
        """`value` in the declared type. Raises SettingError when it has another or is out of range."""
        checked = self._converted(value)
        is_number = isinstance(checked, int | float) and not isinstance(checked, bool)
        if is_number and not _in_range(checked, self.param):  # type: ignore[arg-type]
            raise SettingError(self.name, value, f"must be {_range_text(self.param)}")
        if self.param.choices and checked not in self.param.choices:
            raise SettingError(self.name, value, f"must be one of {', '.join(self.param.choices)}")
        return checked

    def _converted(self, value: object) -> ParameterValue:
        if self.type is tuple and isinstance(value, list | tuple):
            if all(isinstance(item, str) for item in value):
                return tuple(value)
        elif self.type is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        elif type(value) is self.type:
            return value  # type: ignore[return-value]
        wanted = "list of strings, as in [a, b]" if self.type is tuple else self.type.__name__
        raise SettingError(self.name, value, f"must be of type {wanted}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Base of the frozen settings classes: knows its own declarations."""

    @classmethod
    def declarations(cls) -> tuple[Declaration, ...]:
        hints = get_type_hints(cls, include_extras=True)
        return tuple(_declaration(field.name, hints[field.name], field.default) for field in fields(cls))

    @classmethod
    def from_values(cls, values: Mapping[str, object]) -> Self:
        """Settings with these values and defaults for the rest. Raises SettingError."""
        declared = {declaration.name: declaration for declaration in cls.declarations()}
        for name, value in values.items():
            if name not in declared:
                raise SettingError(name, value, f"no such parameter; there are: {', '.join(declared)}")
        return cls(**{name: declared[name].check(value) for name, value in values.items()})


def written(value: ParameterValue) -> str:
    """As on a command line; the entries of a list with commas between them."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _declaration(name: str, hint: Any, default: Any) -> Declaration:
    base, param = get_args(hint)
    return Declaration(name, get_origin(base) or base, default, param)


def _in_range(value: float, param: Param) -> bool:
    too_low = param.minimum is not None and value < param.minimum
    too_high = param.maximum is not None and value > param.maximum
    return isfinite(value) and not too_low and not too_high


def _range_text(param: Param) -> str:
    if param.minimum is None:
        return "a finite number" if param.maximum is None else f"at most {param.maximum:g}"
    if param.maximum is None:
        return f"at least {param.minimum:g}"
    return f"from {param.minimum:g} to {param.maximum:g}"


Managed = Annotated[
    bool,
    Param("wait for lifecycle transitions (configure, activate) instead of starting at once", read_only=True),
]
"""A parameter that all nodes have."""

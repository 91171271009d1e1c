"""The camera's values as JSON and back, for the capture process.

Whatever a `Shot`, a `Plan` or a `ControlSet` is made of goes through as it is: a new field needs no line here.
Everything that JSON does not know is an object of one member, whose name tells what it is: `{"tuple": [...]}`,
`{"set": [...]}`, `{"map": [[key, value], ...]}`, `{"picture": ...}`, or `{"Frame": {...}}` for a class of ours.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

import numpy as np

from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control
from picam_webrtc.camera.formats import StreamLayout
from picam_webrtc.camera.picamera2 import CameraInfo
from picam_webrtc.camera.shot import Shot
from picam_webrtc.frame import Pixels

SIMPLE = (bool, int, float, str)


def _classes_in(hints: Iterable[Any]) -> set[type]:
    """Every dataclass and enumeration of ours that these type hints name, and that those in turn name."""
    found: set[type] = set()
    waiting = list(hints)
    while waiting:
        hint = waiting.pop()
        waiting += get_args(hint)
        if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Enum)) and hint not in found:
            found.add(hint)
            waiting += get_type_hints(hint).values() if is_dataclass(hint) else ()
    return found


CLASSES: Mapping[str, type] = {
    one.__name__: one for one in _classes_in([Shot, Plan, Control, CameraInfo, StreamLayout])
}
HINTS = {one: get_type_hints(one) for one in CLASSES.values() if is_dataclass(one)}


def no_pictures(_: Any) -> Any:
    """For messages that have none."""
    raise ValueError("a picture where none belongs")


def pack(value: Any, lend: Callable[[Pixels], Any] = no_pictures) -> Any:
    """`value` in what JSON knows; `lend` tells where the receiver finds a picture. Raises TypeError for strangers."""
    match value:
        case Enum():
            return {type(value).__name__: value.value}
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [pack(one, lend) for one in value]
        case tuple():
            return {"tuple": [pack(one, lend) for one in value]}
        case set() | frozenset():
            return {"set": [pack(one) for one in sorted(value)]}
        case Mapping():
            return {"map": [[pack(key), pack(one, lend)] for key, one in value.items()]}
        case np.ndarray():
            return {"picture": lend(value)}
        case ControlSet():
            return {"ControlSet": {name: pack(one) for name, one in vars(value).items()}}
    if is_dataclass(value) and CLASSES.get(type(value).__name__) is type(value):
        names = (field.name for field in fields(value))
        return {type(value).__name__: {name: pack(getattr(value, name), lend) for name in names}}
    raise TypeError(f"{type(value).__name__} has no place in the protocol of the capture process")


def unpack(data: Any, take: Callable[[Any], Pixels] = no_pictures) -> Any:
    """What `pack` was given; `take` finds a picture. Fields that this version does not know are left out.

    Raises ValueError, TypeError or RecursionError for anything else.
    """
    if isinstance(data, list):
        return [unpack(one, take) for one in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise ValueError(f"an object of {len(data)} members")
    ((name, content),) = data.items()
    match name:
        case "tuple":
            return tuple(unpack(one, take) for one in content)
        case "map":
            return {unpack(key): unpack(one, take) for key, one in content}
        case "set":
            return set(map(unpack, content))
        case "picture":
            return take(content)
        case "ControlSet":
            return _control_set(content)
    if name not in CLASSES:
        raise ValueError(f"unknown: {name!r:.40}")
    known = CLASSES[name]
    return _instance(known, content, take) if is_dataclass(known) else known(content)


def _instance(known: type, content: Any, take: Callable[[Any], Pixels]) -> Any:
    hints = HINTS[known]
    values = {name: unpack(one, take) for name, one in content.items() if name in hints}
    for name, value in values.items():
        _check(f"{known.__name__}.{name}", value, hints[name])
    return known(**values)


def _check(name: str, value: Any, wanted: Any) -> None:
    """Enough for whoever reads on: a number is a number, a `Frame` is a `Frame`. Raises TypeError."""
    if wanted is float and type(value) is int:
        return
    strict = wanted in SIMPLE
    if (strict and type(value) is not wanted) or (wanted in HINTS and not isinstance(value, wanted)):
        raise TypeError(f"{name} is {value!r:.40}")


def _control_set(content: Any) -> ControlSet:
    """Its attributes are its state, whatever they are."""
    result = ControlSet(())
    for name, before in vars(result).items():
        if name in content:
            value = unpack(content[name])
            if not isinstance(value, type(before)):
                raise TypeError(f"ControlSet.{name} is {value!r:.40}")
            setattr(result, name, value)
    if not all(isinstance(control, Control) for control in result.controls.values()):
        raise TypeError("a ControlSet of something else")
    return result

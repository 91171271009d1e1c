"""The camera's values as JSON and back, for the capture process.

Whatever a `FrameSet`, a `Plan` or a `ControlSet` is made of goes through as it is: a new field needs no line here.
Everything that JSON does not know is an object of one member, whose name tells what it is: `{"tuple": [...]}`,
`{"set": [...]}`, `{"bytes": "..."}` (zlib, base64), `{"dict": {...}}`, `{"map": [[key, value], ...]}` for other keys
than texts, or `{"Frame": {...}}` for a class of ours.
"""

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.picamera2_library import CameraInfo
from picam_webrtc.camera.sensor_mode import SensorMode

SIMPLE = frozenset({bool, int, float, str})
PLAIN = SIMPLE | {type(None)}


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
    one.__name__: one for one in _classes_in([FrameSet, Plan, Control, CameraInfo, SensorMode])
}
FIELDS = {name: tuple(field.name for field in fields(one)) for name, one in CLASSES.items() if is_dataclass(one)}
NAMES = {CLASSES[name]: name for name in FIELDS}
CHECKED = {
    name: [
        (field, hint)
        for field, hint in get_type_hints(CLASSES[name]).items()
        if hint in SIMPLE or hint in CLASSES.values()
    ]
    for name in FIELDS
}
"""Fields whose types are looked at: enough for whoever reads on, for whom a number is a number and a `Frame` one."""
MISSING = object()
FASTEST = 1
"""zlib's level: a map of classes shrinks to a hundredth in a fraction of a frame's time."""
MOST_BYTES = 1 << 22
"""Unpacked: more numbers than a network on a sensor has outputs."""


def pack(value: Any) -> Any:
    """`value` in what JSON knows. Raises TypeError for strangers."""
    kind = type(value)
    if kind in PLAIN:  # nearly all of a frame's metadata
        return value
    if kind in NAMES:
        name = NAMES[kind]
        return {name: _packed({field: getattr(value, field) for field in FIELDS[name]})}
    match value:
        case dict():
            return _packed_mapping(value)
        case tuple():
            return {"tuple": [pack(one) for one in value]}
        case list():
            return [pack(one) for one in value]
        case bytes():
            return {"bytes": base64.b64encode(zlib.compress(value, FASTEST)).decode()}
        case set() | frozenset():
            return {"set": [pack(one) for one in sorted(value)]}
        case ControlSet():
            return {"ControlSet": {name: pack(one) for name, one in vars(value).items()}}
        case Enum() if kind in CLASSES.values():
            return {kind.__name__: value.value}
        case Mapping():
            return _packed_mapping(value)
    raise TypeError(f"{kind.__name__} has no place in the protocol of the capture process")


def _packed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one if type(one) in PLAIN else pack(one) for name, one in values.items()}


def _packed_mapping(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str for key in value):
        return {"dict": _packed(value)}
    return {"map": [[pack(key), pack(one)] for key, one in value.items()]}


def unpack(data: Any) -> Any:
    """What `pack` was given. Fields that this version does not know are left out.

    Raises ValueError, TypeError, AttributeError or RecursionError for anything else.
    """
    if type(data) in PLAIN:
        return data
    if isinstance(data, list):
        return [unpack(one) for one in data]
    if len(data) != 1:
        raise ValueError(f"an object of {len(data)} members")
    ((name, content),) = data.items()
    if name in FIELDS:
        return _instance(name, content)
    match name:
        case "dict":
            return _unpacked(content)
        case "tuple":
            return tuple([unpack(one) for one in content])
        case "set":
            return set(map(unpack, content))
        case "map":
            return {unpack(key): unpack(one) for key, one in content}
        case "bytes":
            return _bytes(content)
        case "ControlSet":
            return _control_set(content)
    if name not in CLASSES:
        raise ValueError(f"unknown: {name!r:.40}")
    return CLASSES[name](content)


def _bytes(content: str) -> bytes:
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(content, validate=True), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"bytes that are none: {error}") from error
    if not reader.eof:
        raise ValueError(f"bytes cut short, or more than {MOST_BYTES}")
    return data


def _unpacked(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one if type(one) in PLAIN else unpack(one) for name, one in content.items()}


def _instance(name: str, content: Any) -> Any:
    names = FIELDS[name]
    values = _unpacked({field: one for field, one in content.items() if field in names})
    check_types(name, values)
    return CLASSES[name](**values)


def check_types(name: str, values: Mapping[str, Any]) -> None:
    """Raises TypeError where a field of that class has another type than it is declared with."""
    for field, wanted in CHECKED[name]:
        value = values.get(field, MISSING)
        if type(value) is not wanted and value is not MISSING and not (wanted is float and type(value) is int):
            raise TypeError(f"{name}.{field} is {value!r:.40}")


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

"""Names of classes, read from label files in the formats that are about.

A name a line; `0 name`, `0: name` or `0,name` a line; a JSON list or object; the label maps of the TF Object
Detection API (`item { id: 1 name: 'cat' }`); the `names` of an Ultralytics data file.
"""

import codecs
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picam_webrtc.errors import ModelError, SettingError

MAX_LABEL_BYTES = 4_000_000
"""More is no label file: ImageNet's 21841 names are below 1 MB."""

BACKGROUND_NAMES = frozenset({"???", "background", "__background__", "_background_", "bg"})

COCO_GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Numbers among COCO's 1 to 90 that no class has: 80 are left, and both countings are in use."""

_NUMBERED = re.compile(r"\s*['\"]?(\d{1,6})['\"]?\s*[\s:,=]\s*(\S.*)")
_MAP_ITEM = re.compile(r"\bitem\s*\{([^}]*)\}")
_MAP_FIELD = re.compile(r"\b(id|name|display_name)\s*:\s*(?:\"([^\"]*)\"|'([^']*)'|(\d{1,6}))")


@dataclass(frozen=True, slots=True)
class Labels:
    """Names by class number. A class without one goes by its number."""

    names: Mapping[int, str] = field(default_factory=dict)

    def name(self, class_id: int) -> str:
        return self.names.get(class_id) or str(class_id)

    @property
    def starts_with_background(self) -> bool:
        """Whether number 0 stands for "nothing", so that real classes begin at 1."""
        return self.names.get(0, "").strip().lower() in BACKGROUND_NAMES

    def fitted(self, classes: int) -> "Labels":
        """These labels for a model that numbers `classes` classes from 0; 0 is an unknown number of them.

        A background or a gap that the model does not count goes, and COCO's 80 names are spread over 90 numbers
        or the reverse.
        """
        names = [self.names.get(number, "") for number in range(max(self.names, default=-1) + 1)]
        counted_from_one = bool(names) and not names[0] and len(names) == classes + 1
        if counted_from_one or (self.starts_with_background and len(names) != classes):
            names = names[1:]
        if (len(names), classes) == (80, 90):
            given = iter(names)
            names = ["" if number in COCO_GAPS else next(given) for number in range(1, 91)]
        elif (len(names), classes) == (90, 80):
            names = [name for number, name in enumerate(names, 1) if number not in COCO_GAPS]
        return Labels({number: name for number, name in enumerate(names) if name})


def parse_labels(data: bytes, source: str) -> Labels:
    """Labels in any of the formats above. Raises ModelError, naming `source`, for what is no text."""
    if len(data) > MAX_LABEL_BYTES:
        raise ModelError(f"{source} has {len(data)} bytes: too many for a label file")
    text = _decoded(data, source)
    for parse in (_from_json, _from_label_map, _from_data_file):
        names = parse(text)
        if names:
            return Labels(names)
    return Labels(_from_lines(text.splitlines()))


def read_labels(path: str | Path) -> Labels:
    """The labels in a file. Raises SettingError, blaming the parameter `labels`."""
    file = Path(path).expanduser()
    try:
        return parse_labels(file.read_bytes(), str(file))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}; give the path of a label file"
        raise SettingError("labels", str(file), reason) from error
    except ModelError as error:
        raise SettingError("labels", str(file), f"{error}; give a text file with a name a line") from error


def _decoded(data: bytes, source: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise ModelError(f"{source} is not a label file: it has binary content")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Files written on Windows; latin-1 knows every byte, so this cannot fail.
        return data.decode("latin-1")


def _from_json(text: str) -> dict[int, str]:
    if not text.lstrip().startswith(("[", "{")):
        return {}
    try:
        return names_from_value(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def names_from_value(value: Any) -> dict[int, str]:
    """Names from a list of names, or an object of number to name; a `names` or `labels` inside is looked into."""
    if isinstance(value, list):
        return {number: str(name) for number, name in enumerate(value) if isinstance(name, str | int | float)}
    if not isinstance(value, dict):
        return {}
    for key in ("names", "labels"):
        if isinstance(value.get(key), list | dict):
            return names_from_value(value[key])
    pairs = {str(key): name for key, name in value.items() if isinstance(name, str)}
    return {int(key): name for key, name in pairs.items() if re.fullmatch(r"[0-9]{1,6}", key)}


def _from_label_map(text: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for item in _MAP_ITEM.findall(text):
        found = {key: double or single or number for key, double, single, number in _MAP_FIELD.findall(item)}
        name = found.get("display_name") or found.get("name")
        if name and found.get("id", "").isdecimal():
            names[int(found["id"])] = name
    if names:
        names.setdefault(0, "???")
    return names


def _from_data_file(text: str) -> dict[int, str]:
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.fullmatch(r"names:\s*(\[.*\])?\s*", line)]
    if not heads:
        return {}
    inline = lines[heads[0]].partition(":")[2].strip()
    if inline:
        return _from_lines(part.strip(" '\"") for part in inline.strip("[]").split(","))
    body: list[str] = []
    for line in lines[heads[0] + 1 :]:
        if line.strip() and not line.startswith((" ", "\t", "-")):
            break
        body.append(line.strip().removeprefix("- "))
    return _from_lines(body)


def _from_lines(lines: Iterable[str]) -> dict[int, str]:
    kept = [line.strip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    matches = [_NUMBERED.fullmatch(line) for line in kept if line]
    if matches and all(matches):
        return {int(match[1]): match[2].strip("'\" ") for match in matches if match}
    return {number: name for number, name in enumerate(kept) if name}

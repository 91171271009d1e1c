"""What a command line and its parameter files say of each node, as it was written: rcl hands on what YAML makes of it.

By the rules of rcl's arguments.c and yaml_param_parser and of rclpy's node.cpp, the same in Jazzy and Kilted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.meaning import Written
from picam_webrtc.ros.process.yaml_file import parameter_documents

EVERY_NODE = "/**"
"""The section of a file, and of a rule on the command line that names no node."""
PARAMETERS = "ros__parameters"
NULLS = ("null", "Null", "NULL", "~")
"""What YAML takes for nothing, and rcl for a text (https://yaml.org/type/null.html)."""
RULE_FLAGS, FILE_FLAG = ("-p", "--param"), "--params-file"


@dataclass(frozen=True, slots=True)
class Override:
    """A value for `name` in a section, which names a node or, by wildcards, several; from a file or ("") a rule on the
    command line. `written` is None for nothing and for what no parameter can be.
    """

    section: str
    name: str
    written: Written | None
    file: str = ""

    def concerns(self, node: str) -> bool:
        """Whether it is for the node of that full name."""
        return re.fullmatch(self.section.replace("/*", r"(/\w+)"), node) is not None

    def names(self, node: str) -> bool:
        """Whether it is for that node by its name, in whatever namespace."""
        return self.concerns(node) and self.section.rpartition("/")[2] == node.rpartition("/")[2]


class Overrides:
    """All of a process, in the order in which they are taken: later ones win."""

    def __init__(self, found: Iterable[Override] = ()) -> None:
        entries = list(found)
        # rcl collects by section, in the order in which sections come first.
        sections = list(dict.fromkeys(one.section for one in entries))
        self.all = tuple(sorted(entries, key=lambda one: sections.index(one.section)))

    def of(self, node: str) -> dict[str, Override]:
        """Those in force for the node of that full name, by parameter."""
        return {one.name: one for one in self.all if one.concerns(node)}


NOTHING = Overrides()


def overrides(arguments: Sequence[str]) -> Overrides:
    """Of a command line that rcl takes. Raises PicamWebrtcError for a file that is YAML and has no parameters."""
    return Overrides(_found(arguments))


def entries_of(text: str) -> tuple[list[object], tuple[str, ...]] | None:
    """What a text in YAML has in a list, which the ros2 command line sends as a text where types differ, and how each
    is written; None for anything else.
    """
    try:
        values, written = yaml.safe_load(text), _written(yaml.compose(text, yaml.SafeLoader))
    except yaml.YAMLError:
        return None
    return (values, written) if isinstance(values, list) and isinstance(written, tuple) else None


def _found(arguments: Sequence[str]) -> Iterator[Override]:
    given = iter(arguments)
    for flag in given:
        if flag == "--ros-args":
            for flag in given:
                if flag == "--":
                    break
                if flag in RULE_FLAGS:
                    yield from _of_rule(next(given, ""))
                elif flag == FILE_FLAG:
                    yield from _of_file(next(given, ""))


def _of_rule(rule: str) -> Iterator[Override]:
    name, _, value = rule.partition(":=")
    node, _, name = name.rpartition(":")
    try:
        written = _written(yaml.compose(value, yaml.SafeLoader))
    except yaml.YAMLError:  # of which rcl tells
        return
    yield Override(_section(node) if node else EVERY_NODE, name, written)


def _of_file(file: str) -> Iterator[Override]:
    try:
        roots = parameter_documents(file)
    except PicamWebrtcError as error:
        raise PicamWebrtcError(f"parameter file {file} {error}") from error
    for root in roots:
        yield from _of_sections(root, "", file)


def _of_sections(mapping: yaml.MappingNode, section: str, file: str) -> Iterator[Override]:
    for key, value in mapping.value:
        if not isinstance(value, yaml.MappingNode):
            continue
        if key.value == PARAMETERS:
            for name, written in _flat(value, ""):
                yield Override(section, name, written, file)
        else:
            yield from _of_sections(value, _section(f"{section}/{key.value}" if section else key.value), file)


def _flat(mapping: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, Written | None]]:
    for key, value in mapping.value:
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _flat(value, f"{name}.")
        else:
            yield name, _written(value)


def _section(name: str) -> str:
    return re.sub("/+", "/", f"/{name}")


def _written(node: Any) -> Written | None:
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in NULLS else str(node.value)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(one, yaml.ScalarNode) for one in node.value):
        return tuple(str(one.value) for one in node.value)
    return None

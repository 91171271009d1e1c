"""The parameter file of `cameras:=`: which cameras it has, and the same parameters for nodes in another namespace."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from picam_webrtc.errors import PicamWebrtcError, SettingError
from picam_webrtc.ros.launch.parameter_file import STRING, ParameterFile
from picam_webrtc.ros.process.overrides import EVERY_NODE, PARAMETERS
from picam_webrtc.ros.process.yaml_file import documents

CAMERA_NODE = "camera_node"
NO_CAMERAS = "must have a section for each camera, named by its namespace, with a camera_node in it: see cameras.yaml"


@dataclass(frozen=True, slots=True)
class CamerasFile:
    """`sections` are the nodes' full names in that file and their entries, however deep these were.

    They are kept as YAML's own nodes: written again, a number is spelled and a string quoted as before, on which
    ROS's parser and PyYAML do not always agree.
    """

    path: str
    sections: tuple[tuple[str, yaml.Node], ...]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Of the cameras, in the file's order, such as `/front`. Raises SettingError where there is none."""
        names = [name.rpartition("/") for name, _ in self.sections if "*" not in name]
        found = dict.fromkeys(namespace for namespace, _, node in names if node == CAMERA_NODE)
        if not found or "" in found:
            raise SettingError("cameras", self.path, NO_CAMERAS)
        return tuple(found)

    def below(self, namespace: str) -> ParameterFile:
        """The same parameters for nodes that are below `namespace`: a full name such as `/robot1`, or empty."""
        entries = [
            (yaml.ScalarNode(STRING, name if name.startswith(EVERY_NODE) else f"{namespace}{name}"), entry)
            for name, entry in self.sections
            if _has_parameters(entry)
        ]
        content = yaml.MappingNode("tag:yaml.org,2002:map", entries)
        return ParameterFile(yaml.serialize(content, Dumper=yaml.SafeDumper), self.path)

    @property
    def is_complete(self) -> bool:
        """Whether ROS can read the file itself: an entry without parameters is an error to it."""
        return all(_has_parameters(entry) for _, entry in self.sections)


def read_cameras_file(path: str) -> CamerasFile:
    """Raises SettingError."""
    try:
        found = documents(path)
    except PicamWebrtcError as error:
        raise SettingError("cameras", path, str(error)) from error
    return CamerasFile(path, tuple(section for document in found for section in _sections(document)))


def _sections(content: yaml.Node, name: str = "") -> Iterator[tuple[str, yaml.Node]]:
    """`/front: {camera_node: ...}`, `/front/camera_node: ...` and anything between are one and the same name."""
    if not isinstance(content, yaml.MappingNode):
        return
    for key, entry in content.value:
        full_name = f"{name}/{str(key.value).strip('/')}"
        is_namespace = isinstance(entry, yaml.MappingNode) and entry.value and not _has_parameters(entry)
        yield from _sections(entry, full_name) if is_namespace else [(full_name, entry)]


def _has_parameters(entry: yaml.Node) -> bool:
    return isinstance(entry, yaml.MappingNode) and any(key.value == PARAMETERS for key, _ in entry.value)

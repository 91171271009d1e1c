"""Parameter files that a launch writes for what it wants of the nodes itself.

launch_ros' dictionaries of parameters would be for all nodes (`/**`). rclpy applies the entries of all files in the
order in which their names came first: where a file of the user's begins with `/**`, what a launch argument says for
all nodes would be applied there, and lose against any entry of that file for one node.
"""

import atexit
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.process.overrides import PARAMETERS

STRING = "tag:yaml.org,2002:str"
"""YAML's tag of a text."""


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """One that is yet to be written; `source` is the file of the user's that it is made of."""

    text: str
    source: str = ""

    def write(self) -> str:
        """Write it; its path, until this process ends: a process that respawns reads it again."""
        prefix = f"launch_params_{Path(self.source).stem}_" if self.source else "launch_params_"
        with tempfile.NamedTemporaryFile("w", prefix=prefix, suffix=".yaml", delete=False) as file:
            file.write(self.text)
        atexit.register(Path(file.name).unlink, missing_ok=True)
        return file.name


class QuotingDumper(yaml.SafeDumper):
    """Puts every text in quotes: PyYAML would leave some without that ROS's parser takes for numbers, such as 1e3."""


QuotingDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(STRING, text, '"'))


def node_parameters(nodes: Mapping[str, Mapping[str, ParameterValue]]) -> tuple[ParameterFile, ...]:
    """One with the parameters of each of `nodes`, by their full names; none where there is nothing to say."""
    sections = {
        name: {PARAMETERS: {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}}
        for name, said in nodes.items()
        if said
    }
    return (ParameterFile(yaml.dump(sections, Dumper=QuotingDumper, sort_keys=False)),) if sections else ()

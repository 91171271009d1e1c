"""Launch arguments that nobody declares, which launch takes without a word."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

LAUNCHS_OWN = frozenset(
    {"launch-prefix", "launch-prefix-filter", "sigterm_timeout", "sigkill_timeout", "emulate_tty"},
)
"""Launch configurations that launch itself reads; `ros2 launch --launch-prefix` becomes an argument, too."""


def is_started(launch_file: Path, package: str, command: Sequence[str]) -> bool:
    """Whether `command` (`ros2 launch ...`) names that file itself, by path or as one of `package`.

    An included launch file sees the same command, whose arguments are then those of the file that includes it.
    """
    by_package = any(pair == (package, launch_file.name) for pair in pairwise(command))
    paths = (Path(word) for word in command if word.endswith(launch_file.name))
    return by_package or any(path.is_file() and path.samefile(launch_file) for path in paths)


def complaints(arguments: Sequence[str], declared: Collection[str], parameters: Mapping[str, str]) -> Iterator[str]:
    """A line for each of `arguments`, as `name:=value`, that is not declared.

    `parameters` are the nodes' parameters and the node of each.
    """
    for argument in arguments:
        name, separator, _ = argument.partition(":=")
        if not separator or name in declared or name in LAUNCHS_OWN:
            continue
        if name in parameters:
            yield f"{name}:= is not a launch argument: write that parameter of {parameters[name]} into params_file"
            continue
        near = get_close_matches(name, [*declared, *parameters], 1)
        remedy = f"did you mean {near[0]}:=?" if near else "--show-args lists those that there are"
        yield f"{name}:= is unknown and changes nothing; {remedy}"

"""What an executable is called with: its own arguments, those for ROS checked, and its help, which needs no graph."""

import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from textwrap import TextWrapper

from rclpy.logging import LoggingSeverity, get_logger_level, set_logger_level
from rclpy.utilities import remove_ros_args

from picam_webrtc.declaration import Declaration, Settings, written
from picam_webrtc.errors import PicamWebrtcError

HELP_WIDTH = 100
"""Of the parameters in a help text [characters]."""
ALIKE = "write the entries of a list alike, as [1.0, 2.5] or ['0', 'dog']"
REMEDIES = {
    "Sequence should be of same type": ALIKE,
    "parameter override rule": "write -p NAME:=VALUE",
    "remap rule: '-r __ns:": "a namespace begins with /, as in -r __ns:=/front",
    "remap rule": "write -r FROM:=TO",
    "log level": "write debug, info, warn, error or fatal",
}
"""What to do about a message of rcl that has these words; the first that fits."""
ROS_ARGUMENTS = "Parameters, remaps and the rest of ROS come after --ros-args: --ros-args -p NAME:=VALUE -r FROM:=TO"


def node_arguments(name: str, purpose: str | None, settings: type[Settings]) -> None:
    """Check the command line of a node, which has ROS arguments only; prints its help where that is asked for.

    Raises PicamWebrtcError.
    """
    parser = ArgumentParser(name, description=purpose, formatter_class=RawDescriptionHelpFormatter)
    parser.epilog = f"{ROS_ARGUMENTS}\n\nparameters:\n{parameters_text(settings)}"
    parsed(parser)


def parsed(parser: ArgumentParser) -> Namespace:
    """This process's own arguments. Raises PicamWebrtcError for ROS arguments that rcl does not take."""
    parser.epilog = parser.epilog or ROS_ARGUMENTS
    known, unknown = parser.parse_known_args(own_arguments(sys.argv)[1:])
    if unknown:
        remedy = f"; a parameter is given as --ros-args -p {unknown[0]}" if ":=" in unknown[0] else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{remedy}")
    return known


def own_arguments(arguments: Sequence[str]) -> list[str]:
    """`arguments` less those for ROS. Raises PicamWebrtcError for ones that rcl does not take."""
    level = get_logger_level("rcl")
    # What it logs says less than its error, and would be a second line.
    set_logger_level("rcl", LoggingSeverity.FATAL)
    try:
        return list(remove_ros_args(list(arguments)))
    except Exception as error:  # rclpy names its argument errors differently in every distribution
        raise PicamWebrtcError(f"ROS arguments: {one_line(error)}") from error
    finally:
        set_logger_level("rcl", level)


def one_line(error: Exception) -> str:
    """rcl's message on one line, less the places in its source code that it appends, and what to do about it."""
    text = re.sub(r", at \S+:\d+", "", " ".join(str(error).split()))
    text = text.removeprefix("Failed to parse ROS arguments: ").replace(" Error: error not set", "")
    if text.startswith("["):  # the arguments after --ros-args that rcl does not know, as rclpy lists them
        return f"{text} unknown; an executable's own arguments, --help too, come before --ros-args"
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in text), "")
    return f"{text.removesuffix('.')}; {remedy}" if remedy else text


def parameters_text(settings: type[Settings]) -> str:
    return "\n".join(_parameter_text(declared) for declared in settings.declarations())


def _parameter_text(declared: Declaration) -> str:
    default = written(declared.default)
    choices = f"; one of {', '.join(declared.param.choices)}" if declared.param.choices else ""
    wrapper = TextWrapper(HELP_WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  {declared.name} ({default or 'empty'})\n{wrapper.fill(declared.param.description + choices)}"

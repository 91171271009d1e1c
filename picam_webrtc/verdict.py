"""How well something does, in a word and a line."""

from enum import IntEnum


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus; the higher the worse."""

    OK = 0
    WARN = 1
    ERROR = 2


Verdict = tuple[Level, str]
"""A level and what there is to say, in one line. The worst of several is their maximum."""

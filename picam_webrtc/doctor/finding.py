"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum

PATIENCE = "run doctor again with --timeout 20: what is read for the first time takes longer"
"""Remedy for what has not answered in time."""


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    """Missing or broken, and needed: a node does not start, or does not do what it is for."""
    UNKNOWN = "unknown"
    """Not examined to its end, so that it may be either."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for the user. `remedy` is what to do, "" where nothing needs doing.

    What is unknown mostly has one remedy in common, which the text says once, at its end.
    """

    check: str
    level: Level
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f" → {self.remedy}" if self.remedy and self.level is not Level.UNKNOWN else ""
        level = self.level if self.level is Level.OK else self.level.upper()
        return f"{level:<8} {self.check}: {self.found}{remedy}"


def ok(check: str, found: str) -> Finding:
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, found, remedy)


def unknown(check: str, found: str, remedy: str) -> Finding:
    """`remedy` is what to do to have it examined."""
    return Finding(check, Level.UNKNOWN, found, remedy)


def broken(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, Level.BROKEN, found, remedy)

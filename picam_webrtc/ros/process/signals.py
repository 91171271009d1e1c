"""SIGINT and SIGTERM in the life of a process: at once while it loads, in order while it works, ignored at the end."""

from __future__ import annotations  # for Pythons that are too old for the rest

import os
import signal
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_at_once() -> None:
    """While modules are loaded there is nothing yet that would have to be closed; whoever works takes the signals over.

    Takes signals that had to wait as well: resource/executables block them until here.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def ignore() -> None:
    """The process ends by itself from here on."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)

"""Runs on Python 3.9 up to the line that says that it is too old."""

from __future__ import annotations  # for Pythons that are too old for the rest

import signal
import sys

from picam_webrtc.dependencies import MINIMUM_PYTHON, python_fault


def main() -> int:
    if sys.version_info < MINIMUM_PYTHON:
        print(python_fault(), file=sys.stderr)
        return 1
    from picam_webrtc.doctor.command import run

    # As an executable it was started by entry.py, which ends nodes at once; this one has children to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    raise SystemExit(main())

"""Runs probes in child processes, all at once; a child that crashes or hangs costs its own answers only."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from picam_webrtc.doctor.finding import PATIENCE

PROGRAM = """
import json, sys
order = json.loads(sys.argv[1])
sys.path[:] = order["path"] or [*sys.path, order["ours"]]
from picam_webrtc.doctor.probes import run
run(order["steps"])
"""
OURS = str(Path(__file__).parents[2])
LATE = "no answer in time"
ENDS = "it ends the process"
WHEELS_GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
"""Set by the start-up hook of the ROS wheels, together with an LD_LIBRARY_PATH that is right for its own Python."""


class Step(NamedTuple):
    """A function of `probes` and what it is given; `python` is another interpreter, with packages of its own."""

    probe: str
    argument: str = ""
    python: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step gave: a value, or an error in one line.

    With `untold` nothing is known, since it did not get to an end; that is then what to do to have it told.
    """

    value: Any = None
    error: str = ""
    untold: str = ""


Answers = Mapping[Step, Answer]


def start(children: Sequence[Sequence[Step]], timeout_s: float) -> Callable[[], Answers]:
    """Start a child for each sequence of steps, which it takes in order. The result waits for all answers."""
    pool = ThreadPoolExecutor(max_workers=max(len(children), 1))
    deadline = time.monotonic() + timeout_s
    running = [pool.submit(_run, steps, deadline) for steps in children if steps]
    pool.shutdown(wait=False)
    return lambda: {step: answer for child in running for step, answer in child.result().items()}


def _run(steps: Sequence[Step], deadline: float) -> dict[Step, Answer]:
    python = steps[0].python
    order = {"path": [] if python else sys.path, "ours": OURS, "steps": [step[:2] for step in steps]}
    command = [python or sys.executable, "-c", PROGRAM, json.dumps(order)]
    try:
        ended = subprocess.run(
            command, env=_environment(python), stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=max(deadline - time.monotonic(), 0.1),
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        return dict(_read(steps, expired.stdout or b"", Answer(error=LATE, untold=PATIENCE)))
    except OSError as error:
        return dict.fromkeys(steps, Answer(error=f"{command[0]} does not start: {error.strerror}"))
    return dict(_read(steps, ended.stdout, Answer(error=_end(ended.returncode))))


def _environment(python: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if python:
        ours = ("PYTHONPATH", "PYTHONHOME", *((WHEELS_GUARD, "LD_LIBRARY_PATH") if WHEELS_GUARD in environment else ()))
        environment = {name: value for name, value in environment.items() if name not in ours}
    return environment


def _read(steps: Sequence[Step], output: bytes, end: Answer) -> Iterator[tuple[Step, Answer]]:
    """A line of JSON for each step that came to its end. `end` befell the next one, which took the others with it."""
    lines = [line for line in output.decode(errors="replace").splitlines(keepends=True) if line.endswith("\n")]
    for step, line in zip(steps, lines, strict=False):
        yield step, Answer(**json.loads(line))
    for number, step in enumerate(steps[len(lines) :]):
        culprit = steps[len(lines)].argument or steps[len(lines)].probe
        because = f"not tried, since {culprit} {'gave no answer in time' if end.untold else 'came to no end'}"
        yield step, Answer(error=because, untold=end.untold or f"mend {culprit} first") if number else end


def _end(code: int) -> str:
    if code < 0:
        return f"it crashes ({signal.Signals(-code).name})"
    return f"{ENDS} (exit code {code})"

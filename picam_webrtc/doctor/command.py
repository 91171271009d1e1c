"""The command: options in, a line for each finding out, or JSON for a bug report."""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from picam_webrtc.dependencies import DEPENDENCIES, OPTIONAL, find_faults, remedy
from picam_webrtc.doctor import camera, machine, model, packages, ros, video
from picam_webrtc.doctor.children import start
from picam_webrtc.doctor.finding import Finding, Level
from picam_webrtc.settings import InferenceSettings, WebRtcSettings

TIMEOUT_S = 2.5
"""For all child processes together: three seconds, less what it takes to start and to print."""
INTERRUPTED = 130
"""Exit code after SIGINT, as a shell has it."""


@dataclass(frozen=True, slots=True)
class Report:
    """JSON has the same: `findings` with check, level, found and remedy each, `exit_code`, and `took_s` [s]."""

    exit_code: int
    took_s: float
    findings: tuple[Finding, ...]


def run(arguments: Sequence[str] | None = None) -> int:
    """Check everything, print it, and return the exit code: 1 where something that is needed is missing or broken."""
    options = _parser().parse_args(arguments)
    try:
        report = examine(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(json.dumps(asdict(report), indent=2, ensure_ascii=False) if options.json else _text(report), flush=True)
    return report.exit_code


def _parser() -> argparse.ArgumentParser:
    web, inference = WebRtcSettings(), InferenceSettings()
    parser = argparse.ArgumentParser(
        "doctor", description="Tell what is here, what is wrong, and what to do about it. Changes nothing."
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for a bug report")
    parser.add_argument("--model", default=inference.model, help="the model to check; default: %(default)s")
    parser.add_argument("--host", default=web.host, help="the address to serve at; default: %(default)s")
    parser.add_argument("--port", type=int, default=web.port, help="the port to serve at; default: %(default)s")
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="S",
        help="how long to wait for answers; default: %(default)s",
    )
    return parser


def examine(options: argparse.Namespace) -> Report:
    begin = time.monotonic()
    findings = tuple(_findings(options))
    code = int(any(one.level is Level.BROKEN for one in findings))
    return Report(code, round(time.monotonic() - begin, 2), findings)


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    folder = Path.cwd()
    families = (ros.children(), packages.children(), video.children(), model.children(options.model), camera.children())
    answers_of = start([steps for family in families for steps in family], options.timeout)
    yield machine.python()
    yield machine.machine()
    yield machine.clock(datetime.now(UTC), machine.is_synchronised())
    yield machine.disk(folder)
    yield machine.port(options.host, options.port)
    answers = answers_of()
    yield from ros.ros(answers, os.environ, folder)
    yield from packages.packages(answers)
    yield from video.encoders(answers)
    yield from model.model_and_runtime(answers, options.model)
    yield from camera.cameras(answers)
    yield from camera.permissions()


def _text(report: Report) -> str:
    counts = {level: sum(one.level is level for one in report.findings) for level in Level}
    broken, warned = counts[Level.BROKEN], counts[Level.WARNING]
    verdict = f"{broken} broken or missing, {warned} to know of" if broken or warned else "all is well"
    return "\n".join([*map(str, report.findings), "", *_all_packages(), f"{verdict} ({report.took_s:.1f} s)"])


def _all_packages() -> Iterator[str]:
    """One command where several packages are missing or unfit."""
    faults = find_faults(one for one in DEPENDENCIES if one.use not in OPTIONAL)
    if len(faults) > 1:
        yield f"All packages at once: {remedy(fault.dependency for fault in faults)}"

"""The command: options in, a line for each finding out, or JSON for a bug report."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from picam_webrtc.dependencies import DEPENDENCIES, OPTIONAL, find_faults, remedy
from picam_webrtc.doctor import camera, machine, model, packages, ros, video
from picam_webrtc.doctor.children import start
from picam_webrtc.doctor.finding import Finding, Level
from picam_webrtc.errors import SettingError
from picam_webrtc.settings import InferenceSettings, WebRtcSettings

TIMEOUT_S = 2.5
"""For all child processes together: three seconds, less what it takes to start and to print."""
INCOMPLETE = 3
"""Exit code where nothing is known to be broken and something is not known; 2 is argparse's."""
INTERRUPTED = 130
"""Exit code after SIGINT, as a shell has it."""


@dataclass(frozen=True, slots=True)
class Report:
    """JSON has the same: `findings` with check, level, found and remedy each, `exit_code`, and `took_s` [s].

    It is `complete` when every check came to its end.
    """

    exit_code: int
    complete: bool
    took_s: float
    findings: tuple[Finding, ...]


def run(arguments: Sequence[str] | None = None) -> int:
    """Check everything, print it, and return the exit code: 1 where something that is needed is missing or broken.

    Else INCOMPLETE where that is not known of everything.
    """
    options = _parser().parse_args(arguments)
    try:
        report = examine(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    _print(json.dumps(asdict(report), indent=2, ensure_ascii=False) if options.json else _text(report))
    return report.exit_code


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever reads has enough, as `| head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end


def _parser() -> argparse.ArgumentParser:
    web, inference = WebRtcSettings(), InferenceSettings()
    parser = argparse.ArgumentParser(
        "doctor",
        description="Tell what is here, what is wrong, and what to do about it. Changes nothing.",
        epilog="The exit code is 1 where something is broken or missing, else 3 where the examination is incomplete.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for a bug report")
    parser.add_argument("--model", default=inference.model, help="the model to check; default: %(default)s")
    parser.add_argument("--host", default=web.host, help="the address to serve at; default: %(default)s")
    parser.add_argument("--port", type=_port, default=web.port, help="the port to serve at; default: %(default)s")
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="S",
        help="how long to wait for answers; default: %(default)s",
    )
    return parser


def _port(text: str) -> int:
    number = int(text)
    try:
        WebRtcSettings.from_values({"port": number})
    except SettingError as error:
        raise argparse.ArgumentTypeError(f"{number} {error.reason}") from error
    return number


def examine(options: argparse.Namespace) -> Report:
    begin = time.monotonic()
    findings = tuple(_findings(options))
    levels = {one.level for one in findings}
    complete = Level.UNKNOWN not in levels
    code = 1 if Level.BROKEN in levels else 0 if complete else INCOMPLETE
    return Report(code, complete, round(time.monotonic() - begin, 2), findings)


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
    bad = f"{broken} broken or missing, {warned} to know of" if broken or warned else "nothing wrong"
    verdict = "all is well" if report.complete and not (broken or warned) else bad
    closing = [*_all_packages(), *_how_to_complete(report), f"{verdict} ({report.took_s:.1f} s)"]
    return "\n".join([*map(str, report.findings), "", *closing])


def _how_to_complete(report: Report) -> Iterator[str]:
    unknown = [one for one in report.findings if one.level is Level.UNKNOWN]
    if unknown:
        remedies = "; ".join(dict.fromkeys(one.remedy for one in unknown))
        yield f"INCOMPLETE: {len(unknown)} of {len(report.findings)} checks came to no end → {remedies}"


def _all_packages() -> Iterator[str]:
    """One command where several packages are missing or unfit."""
    faults = find_faults(one for one in DEPENDENCIES if one.use not in OPTIONAL)
    if len(faults) > 1:
        yield f"All packages at once: {remedy(fault.dependency for fault in faults)}"

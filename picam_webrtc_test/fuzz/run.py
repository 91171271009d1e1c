"""Attacks a live server while an honest viewer watches, and finds out whether anybody noticed."""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.fuzz.attacks import ATTACKS, Outcomes
from picam_webrtc_test.web.live import HonestViewer, Live, honest_viewer, live_server

SETTINGS = WebRtcSettings(port=0, max_requests_per_second=10_000.0, connection_idle_timeout=5.0)
"""No limit but the rate is lifted: it would only keep the attacks from what is behind it."""
BASELINE_S = 3.0
LEAST_SHARE = 0.9
"""Of the pictures before: the attacker takes its share of the same processor."""
REAP_TIMEOUT_S, POLL_S = 30.0, 0.1


@dataclass
class Finding:
    """What the attacks brought about; `faults` should be empty, and nothing be left.

    `frame_rates` are the honest viewer's: `before` the attacks, while each went on, and `during` all of them.
    """

    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    frame_rates: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    sessions_left: int = 0
    descriptors_left: int = 0

    @property
    def unnoticed(self) -> bool:
        """Whether nothing broke, nothing stayed behind, and the honest viewer saw no fewer pictures."""
        disturbed = self.frame_rates["during"] < LEAST_SHARE * self.frame_rates["before"]
        return not (self.faults or self.sessions_left or self.descriptors_left or disturbed)


class _Faults(logging.Handler):
    def __init__(self, faults: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self._faults.append(self.format(record))


@contextmanager
def faults_noted(faults: list[str]) -> Iterator[None]:
    """Errors that are logged, and exceptions that nobody catches."""
    handler, loop = _Faults(faults), asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    logging.getLogger().addHandler(handler)
    loop.set_exception_handler(note)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        logging.getLogger().removeHandler(handler)


async def fuzz(counts: Mapping[str, int], seed: int) -> Finding:
    """`counts` names how many inputs of each kind; the same `seed` makes the same inputs."""
    finding = Finding()
    with faults_noted(finding.faults):
        async with live_server(SETTINGS) as live, honest_viewer(live) as viewer:
            descriptors = _open_descriptors()
            finding.frame_rates["before"] = await viewer.frame_rate(BASELINE_S)
            with frame_rate_noted(viewer, finding, "during"):
                for kind, count in counts.items():
                    with frame_rate_noted(viewer, finding, kind):
                        await _attack(live, kind, count, seed, finding)
                    if viewer.process.returncode is not None:
                        finding.faults.append(f"{kind}: the honest viewer saw nothing for too long and has left")
                        break
            finding.sessions_left = await _left(lambda: len(live.sessions) - 1)
            finding.descriptors_left = await _left(lambda: _open_descriptors() - descriptors)
    return finding


@contextmanager
def frame_rate_noted(viewer: HonestViewer, finding: Finding, name: str) -> Iterator[None]:
    pictures, started = viewer.pictures, time.monotonic()
    yield
    finding.frame_rates[name] = (viewer.pictures - pictures) / (time.monotonic() - started)


async def _attack(live: Live, kind: str, count: int, seed: int, finding: Finding) -> None:
    outcomes: Outcomes = Counter()
    random = Random(f"{seed} {kind}")  # noqa: S311 -- repeatable on purpose
    await ATTACKS[kind](live, random, count, outcomes)
    finding.outcomes[kind] = dict(outcomes)
    finding.faults.extend(f"{kind}: status {status}" for status in outcomes if status in ("500", "502"))


async def _left(count: Callable[[], int]) -> int:
    """What remains once nothing more goes away; 0 as soon as there is nothing."""
    for _ in range(round(REAP_TIMEOUT_S / POLL_S)):
        if count() <= 0:
            break
        await asyncio.sleep(POLL_S)
    return max(0, count())


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))

"""Patience with the machine: what fails while others had it is run again."""

import time

import pytest
from _pytest.runner import runtestprotocol
from pytest_timeout import _get_item_settings  # type: ignore[import-untyped]

from picam_webrtc_test.machine import CALM_TIMEOUT_S, SPOILED, wait_for_calm, watched

PATIENCE_S = 180.0
"""For what is run again: waiting for a calm machine, and the runs."""
MOST_RUNS = 3
RUNS = pytest.StashKey[int]()
spent_s = 0.0


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """A failure of tests that need the machine for themselves counts only if they had it.

    What fails while others had it tells nothing of ours: it is run again when all have run and the machine is calm,
    where a fault of ours fails.
    """
    global spent_s
    if item.get_closest_marker("heavy") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    item.stash[RUNS] = runs = item.stash.get(RUNS, 0) + 1
    begin_s = time.monotonic()
    if runs > 1:
        _wait_for_calm(item, PATIENCE_S - spent_s)
    with watched() as disturbance:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if runs > 1:
        spent_s += time.monotonic() - begin_s
    failed = [report for report in reports if report.failed]
    for report in failed:
        report.sections.append(("the machine", f"run {runs} of at most {MOST_RUNS}: {disturbance()}"))
    spoiled = disturbance().spoils or any(node.stash.get(SPOILED, False) for node in item.listchain())
    if failed and spoiled and runs < MOST_RUNS and spent_s < PATIENCE_S:
        item._report_sections.clear()  # what this run printed
        item.session.items.append(item)
    else:
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _wait_for_calm(item: pytest.Item, timeout_s: float) -> None:
    """The test's time limit begins afterwards."""
    limit = _get_item_settings(item)
    if limit.timeout:
        item.ihook.pytest_timeout_cancel_timer(item=item)
    wait_for_calm(min(CALM_TIMEOUT_S, timeout_s))
    if limit.timeout:
        item.ihook.pytest_timeout_set_timer(item=item, settings=limit)

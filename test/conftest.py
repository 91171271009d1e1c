"""What all tests share: a ROS domain of this test process' own, an event loop for each, patience with the machine."""

import time
from collections.abc import Iterator

import aioice.ice
import pytest
from _pytest.runner import runtestprotocol
from pytest_timeout import _get_item_settings  # type: ignore[import-untyped]

from test.machine import CALM_TIMEOUT_S, SPOILED, wait_for_calm, watched
from test.pipeline import own_ros_domain

PATIENCE_S = 240.0
"""With the machine, for all tests together."""
MOST_RUNS = 3
RUNS = pytest.StashKey[int]()
spent_s = 0.0


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Tests that need the machine for themselves wait until they have it, and their failure counts only if they had it.

    What fails while others had it is run again when all have run: it tells nothing of ours. A fault of ours fails on a
    calm machine.
    """
    global spent_s
    if item.get_closest_marker("heavy") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    begin_s, limit = time.monotonic(), _get_item_settings(item)
    if limit.timeout:  # that of the test begins when the machine is calm
        item.ihook.pytest_timeout_cancel_timer(item=item)
    wait_for_calm(min(CALM_TIMEOUT_S, PATIENCE_S - spent_s))
    if limit.timeout:
        item.ihook.pytest_timeout_set_timer(item=item, settings=limit)
    calm_s = time.monotonic()
    item.stash[RUNS] = item.stash.get(RUNS, 0) + 1
    with watched() as disturbance:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = [report for report in reports if report.failed]
    for report in failed:
        report.sections.append(("the machine", f"run {item.stash[RUNS]} of at most {MOST_RUNS}: {disturbance()}"))
    spoiled = disturbance().spoils or any(node.stash.get(SPOILED, False) for node in item.listchain())
    again = bool(failed) and spoiled and item.stash[RUNS] < MOST_RUNS and spent_s < PATIENCE_S
    spent_s += (time.monotonic() if again else calm_s) - begin_s
    if again:
        item.session.items.append(item)
    else:
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    with own_ros_domain():
        yield


@pytest.fixture(autouse=True)
def _fresh_mdns() -> Iterator[None]:
    """aioice keeps its mDNS socket and lock for each thread, which in a program means for the one event loop."""
    yield
    vars(aioice.ice._mdns).clear()

"""What all tests share: a ROS domain of this test process' own, an event loop for each, patience with the machine."""

import time
from collections.abc import Iterator

import aioice.ice
import pytest
from _pytest.runner import runtestprotocol

from test.machine import CALM_TIMEOUT_S, CpuTimes, wait_for_calm
from test.pipeline import own_ros_domain

MOST_STOLEN = 0.05
"""Of the processors' time during a test, for its failure to count."""
MOST_RUNS = 3
PATIENCE_S = 240.0
"""With the machine, for all tests together."""
spent_s = 0.0


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """What fails while others had the machine is run again: it tells nothing; a fault of ours fails on a calm one too.

    Tests that need the machine for themselves wait until it is calm.
    """
    global spent_s
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for run in range(1, MOST_RUNS + 1):
        begin_s = time.monotonic()
        if item.get_closest_marker("heavy") is not None:
            wait_for_calm(min(CALM_TIMEOUT_S, PATIENCE_S - spent_s))
        calm_s, before = time.monotonic(), CpuTimes.now()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        stolen = CpuTimes.now().stolen_since(before)
        spoiled = stolen > MOST_STOLEN and any(report.failed for report in reports)
        spent_s += (time.monotonic() if spoiled else calm_s) - begin_s
        if not spoiled or spent_s > PATIENCE_S or run == MOST_RUNS:
            break
        print(f"\n{item.nodeid} failed while others had {stolen:.0%} of the processors; once more")
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

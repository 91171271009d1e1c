"""What all tests share: a ROS domain of this test process' own, and an event loop for each test."""

from collections.abc import Iterator

import aioice.ice
import pytest

from test.pipeline import own_ros_domain


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    with own_ros_domain():
        yield


@pytest.fixture(autouse=True)
def _fresh_mdns() -> Iterator[None]:
    """aioice keeps its mDNS socket and lock for each thread, which in a program means for the one event loop."""
    yield
    vars(aioice.ice._mdns).clear()

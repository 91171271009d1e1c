"""What all tests share: a ROS domain of this test process' own, an event loop for each, patience with the machine."""

import signal
from collections.abc import Iterator

import aioice.ice
import hypothesis
import pytest

from picam_webrtc_test.pipeline import own_ros_domain
from picam_webrtc_test.reruns import pytest_runtest_protocol

__all__ = ["pytest_runtest_protocol"]

# A shell has what it runs in the background ignore Ctrl-C, and so would every program that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine an example takes as long as it takes; nothing here is a measurement.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    with own_ros_domain():
        yield


@pytest.fixture(autouse=True)
def _fresh_mdns() -> Iterator[None]:
    """aioice keeps its mDNS socket and lock for each thread, which in a program means for the one event loop."""
    yield
    vars(aioice.ice._mdns).clear()

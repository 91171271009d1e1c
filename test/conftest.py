"""What all tests share: a ROS domain of this test process' own."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    """Nobody else's nodes are seen, and nobody sees ours."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if "ROS_DOMAIN_ID" in os.environ:
        yield
        return
    from domain_coordinator import domain_id

    with domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        yield
        del os.environ["ROS_DOMAIN_ID"]

"""What all tests share: a ROS domain of this test process' own."""

from collections.abc import Iterator

import pytest

from test.pipeline import own_ros_domain


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    with own_ros_domain():
        yield

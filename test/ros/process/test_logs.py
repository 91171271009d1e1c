"""Several cameras in one process: what an engine logs appears as its own node's, whichever thread says it."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.test_pattern import TestPatternSource
from picam_webrtc.ros.node.lifecycle import Effects, ManagedLifecycle
from picam_webrtc.ros.node.on_demand import OnDemand
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.ros.process.logs import forward_logs, speaking_for
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.ros.support import on_spin_thread, running_node

pytestmark = pytest.mark.ros

Rear = tuple[Runtime, Node]
ENGINE = logging.getLogger("picam_webrtc.camera.anything")


@pytest.fixture
async def rear() -> AsyncIterator[Rear]:
    """The second of two cameras."""
    with running_node("front") as (runtime, front):
        async with AsyncExitStack() as stack:
            node = runtime.node("rear", Node)
            for one in (front, node):
                forward_logs(stack, one, "camera")
            runtime.spin()
            yield runtime, node
            runtime.stop_spinning()


def speakers(capfd: pytest.CaptureFixture[str], text: str) -> list[str]:
    """The nodes that have said it."""
    lines = [line for line in capfd.readouterr().err.splitlines() if text in line]
    return [line.rsplit("]: ", 1)[0].rsplit("[", 1)[1] for line in lines]


def test_a_thread_that_an_engine_starts_on_demand(rear: Rear, capfd: pytest.CaptureFixture[str]) -> None:
    runtime, node = rear
    came = threading.Event()
    source = TestPatternSource(CameraSettings(source="test_pattern"))
    capture = Capture(source, lambda _: came.set())
    demand = OnDemand(node, capture.start, capture.stop)
    on_spin_thread(runtime, lambda: demand.want(True))
    assert came.wait(10)
    on_spin_thread(runtime, demand.close)

    assert speakers(capfd, "Camera st") == ["rear", "rear"]


def test_a_parameter_that_changes(rear: Rear, capfd: pytest.CaptureFixture[str]) -> None:
    runtime, node = rear
    parameters = NodeParameters(node, CameraSettings)
    parameters.check = lambda _: ENGINE.info("it is checked")
    parameters.apply = lambda _: ENGINE.info("it is applied")
    on_spin_thread(runtime, lambda: node.set_parameters([Parameter("jpeg_quality", value=70)]) and None)

    assert speakers(capfd, "it is ") == ["rear", "rear"]


async def test_a_managed_node_that_is_configured(rear: Rear, capfd: pytest.CaptureFixture[str]) -> None:
    runtime, node = rear

    class Work:
        def allow(self, allowed: bool) -> None:
            ENGINE.info("allowed" if allowed else "not allowed")

    async def make(_: AsyncExitStack) -> Work:
        ENGINE.info("it is made")
        return Work()

    lifecycle = ManagedLifecycle(node, make, Effects("", "", ""), asyncio.get_running_loop())
    await asyncio.to_thread(on_spin_thread, runtime, lifecycle.configure)

    assert speakers(capfd, "it is made") == ["rear"]


def test_where_nobody_knows_the_first_node_speaks(rear: Rear, capfd: pytest.CaptureFixture[str]) -> None:
    runtime, _ = rear
    on_spin_thread(runtime, lambda: ENGINE.info("somebody must say it"))

    assert speakers(capfd, "somebody must say it") == ["front"]


async def test_who_leaves_speaks_no_more(rear: Rear, capfd: pytest.CaptureFixture[str]) -> None:
    runtime, _ = rear
    async with AsyncExitStack() as stack:
        left = runtime.node("left", Node)
        forward_logs(stack, left, "camera")
    with speaking_for(left):
        ENGINE.info("from beyond")

    assert speakers(capfd, "from beyond") == ["front"]

"""How a node reports its health, and that it costs next to nothing."""

from contextlib import AsyncExitStack

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from picam_webrtc.ros import composed
from picam_webrtc.ros.node.diagnostics import Report, diagnostics
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.verdict import Level
from picam_webrtc_test.ros.support import running_loop, running_node, wait_until

REPORTS = {"camera_node: frames", "inference_node: inference", "webrtc_node: network", "webrtc_node: streams"}


def test_a_report_that_fails_is_told_and_the_next_ones_come(capfd: pytest.CaptureFixture[str]) -> None:
    reports = iter([Report(Level.OK, "well", {}), Report(Level.OK, "well again", {})])
    calls: list[int] = []
    heard: list[str] = []

    def report() -> Report:
        calls.append(len(calls))
        if calls[-1] == 1:
            raise ValueError("a figure that is none")
        return next(reports)

    with running_node("patient") as (runtime, node), running_loop() as run:
        node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: heard.append(message.status[0].message), 10
        )
        runtime.spin()
        stack = AsyncExitStack()
        run(stack.enter_async_context(diagnostics(node, "pulse", "heart", report)))
        try:
            wait_until(lambda: "well again" in heard, "the report after the one that failed")
        finally:
            run(stack.aclose())

    assert "a figure that is none" in capfd.readouterr().err


def test_at_rest_no_timer_wakes_the_thread_that_spins() -> None:
    heard: set[str] = set()
    arguments = ("source:=test_pattern", "transform:=none", "port:=0")
    given = [part for argument in arguments for part in ("-p", argument)]
    with Runtime(["test", "--ros-args", *given]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        try:
            run(composed.wire([""], stack, runtime))
            nodes = runtime.executor.get_nodes()
            runtime.node("listener", Node).create_subscription(
                DiagnosticArray, "/diagnostics", lambda message: heard.add(message.status[0].name), 10
            )
            runtime.spin()
            wait_until(lambda: heard >= REPORTS, "a report of each")
            timers = {node.get_name(): list(node.timers) for node in nodes}
        finally:
            runtime.stop_spinning()
            run(stack.aclose())

    assert timers == {"camera_node": [], "inference_node": [], "webrtc_node": []}

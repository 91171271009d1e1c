"""How a node reports its health."""

from contextlib import AsyncExitStack

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from picam_webrtc.ros.diagnostics import Report, diagnostics
from test.ros.support import running_loop, running_node, wait_until


def test_a_report_that_fails_is_told_and_the_next_ones_come(capfd: pytest.CaptureFixture[str]) -> None:
    reports = iter([Report(0, "well", {}), Report(0, "well again", {})])
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
        wait_until(lambda: "well again" in heard, "the report after the one that failed")
        run(stack.aclose())

    assert "a figure that is none" in capfd.readouterr().err

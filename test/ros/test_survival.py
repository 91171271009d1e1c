"""What happens to viewers when something dies: they stay, and see again soon after it is back."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.viewer import Viewer, viewer

pytestmark = [pytest.mark.ros, pytest.mark.heavy, pytest.mark.timeout(300)]

PARAMETERS: dict[str, ParameterValue] = {
    "source": "test_pattern", "transform": "none", "port": 0, "width": 640, "height": 360,
}  # fmt: skip
KILLS = int(os.environ.get("PICAM_WEBRTC_KILLS", "20"))
"""Of camera and inference in turn."""
RECOVERY_S = 3.0
MOST_MORE_DESCRIPTORS = 4
"""The middleware opens a descriptor or two for each process that it has ever met, up to a limit."""


class Robot:
    """Three processes that can be killed and started again one by one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.processes: dict[str, NodeProcess] = {}
        for name in ("camera_node", "inference_node", "webrtc_node"):
            self.start(name)
        self.url = self.processes["webrtc_node"].wait_for_line(r"The page is at (http://\S+)")[1]

    def start(self, name: str) -> None:
        process = node_process(name, PARAMETERS)
        self.processes[name] = self._stack.enter_context(process)

    def kill(self, name: str) -> None:
        assert self.processes[name].stop(signal.SIGKILL) == -signal.SIGKILL


@pytest.fixture
def robot() -> Iterator[Robot]:
    with ExitStack() as stack:
        yield Robot(stack)


async def frames_after(watching: Viewer, started_s: float, count: int) -> float:
    """Seconds from `started_s` to the `count`th frame that arrived after that."""
    for _ in range(count):
        await watching.next_frame()
    return time.monotonic() - started_s


async def stopped(watching: Viewer) -> None:
    """Return once frames come no more; what was under way may still arrive."""
    while True:
        try:
            async with asyncio.timeout(0.5):
                await watching.next_frame()
        except TimeoutError:
            return


def open_files(process: NodeProcess) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def threads(process: NodeProcess) -> int:
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


async def test_viewers_outlive_camera_and_inference_killed_in_turn(robot: Robot) -> None:
    webrtc = robot.processes["webrtc_node"]
    async with viewer(robot.url) as watching:
        await watching.connect_by_whep()
        await watching.next_frame()
        before: tuple[int, int] | None = None
        for number in range(KILLS):
            name = ("camera_node", "inference_node")[number % 2]
            robot.kill(name)
            await stopped(watching)
            started_s = time.monotonic()
            robot.start(name)
            robot.processes[name].wait_for_line("Ready")
            ready_s = time.monotonic()

            seconds = await frames_after(watching, ready_s, 5)

            assert seconds < RECOVERY_S, f"{name}, kill {number}: {seconds:.1f} s after {ready_s - started_s:.1f} s"
            if before is None and number == 1:
                before = open_files(webrtc), threads(webrtc)
        assert watching.connection.connectionState == "connected"
        assert before is not None
        assert open_files(webrtc) - before[0] <= MOST_MORE_DESCRIPTORS
        assert threads(webrtc) - before[1] <= 1
    closed = [line for line in webrtc.lines if " is closed" in line]
    assert len(closed) <= 1

"""What a distant subscriber costs those on the robot: `python -m bench.topics --far [--json]` (for root).

A robot in a network namespace publishes the 720p30 test pattern with everything as it comes. On it listen a reliable
and a best-effort subscriber to `image_raw`, one to `camera_info` and one to `image_raw/compressed`; behind a cable of
20 Mbit/s, in another namespace, a distant one to `image_raw`, which would need 663 Mbit/s. The last line of output is
a JSON object: for nobody far away (`alone`), a `best_effort` and a `reliable` one what each subscriber on the robot
gets, by topic: `messages`, `hz`, `latency_ms_p50` and `latency_ms_p95`, `far` the same of the distant one, and
`camera_cpu`, the camera's share of a processor core. Ends with code 1 where a rate on the robot is not 30 ± 0.3 Hz.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.paced_images import FRAME_RATE
from bench.process_figures import cpu_s
from picam_webrtc.declaration import ParameterValue
from picam_webrtc.ros.process.shared_memory import PROFILE_VARIABLES
from picam_webrtc_test.pipeline import ROOT, NodeProcess, node_process
from picam_webrtc_test.ros.two_hosts import TwoHosts, python, two_hosts

CAMERA: dict[str, ParameterValue] = {"source": "test_pattern", "width": 1280, "height": 720}
ON_THE_ROBOT = (
    "image_raw:Image:reliable",
    "image_raw:Image:best_effort",
    "camera_info:CameraInfo:reliable",
    "image_raw/compressed:CompressedImage:reliable",
)
FAR_AWAY = {
    "alone": "",
    "best_effort": "image_raw:Image:best_effort",
    "reliable": "image_raw:Image:reliable",
}
LINK_MBIT_PER_S = 20
SETTLING_S = 3.0
TOLERANCE_HZ = 0.3

Figures = dict[str, dict[str, float | None]]


class Counter:
    """`bench.counter` as a child."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._line() == "ready"

    def figures(self) -> Figures:
        """Since they were asked for last."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        figures: Figures = json.loads(self._line())
        return figures

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, f"counter {self._process.pid} ended early"
        return line


@contextmanager
def counter(prefix: Sequence[str], environment: Mapping[str, str], *wanted: str) -> Iterator[Counter]:
    """One that subscribes to `wanted` on the host that `prefix` leads to."""
    with subprocess.Popen(
        [*prefix, *python("bench.counter", *wanted)],
        cwd=ROOT,
        env={**without_profile(), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Counter(process)
        process.communicate()


def without_profile() -> dict[str, str]:
    """This process' environment, less a profile that it may have chosen for itself."""
    return {name: value for name, value in os.environ.items() if name not in PROFILE_VARIABLES}


def measure(hosts: TwoHosts, camera: NodeProcess, local: Counter, distant: str, seconds: float) -> dict[str, Any]:
    with ExitStack() as stack:
        far = stack.enter_context(counter(hosts.ground, hosts.environment, distant)) if distant else None
        time.sleep(SETTLING_S)
        for one in (local, far):
            if one is not None:
                one.figures()
        used_s = cpu_s(camera.pid)
        time.sleep(seconds)
        used_s = cpu_s(camera.pid) - used_s
        figures: dict[str, Any] = {**local.figures(), "camera_cpu": round(used_s / seconds, 3)}
        if far is not None:
            (figures["far"],) = far.figures().values()
    return figures


def run(
    seconds: float, robot: Mapping[str, str] | None = None, far_away: Mapping[str, str] = FAR_AWAY
) -> dict[str, Any]:
    """`robot` is the environment of the camera, by default such that it chooses its transport itself."""
    with two_hosts() as hosts:
        hosts.narrow(LINK_MBIT_PER_S)
        local = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", **(robot or {})}
        with (
            node_process("camera_node", CAMERA, environment=local, prefix=hosts.robot) as camera,
            counter(hosts.robot, local, *ON_THE_ROBOT) as listening,
        ):
            camera.wait_for_line("Camera started")
            return {name: measure(hosts, camera, listening, distant, seconds) for name, distant in far_away.items()}


def off_the_rate(result: Mapping[str, Any]) -> list[str]:
    """Who on the robot does not get 30 pictures a second, and what he gets; nobody should."""
    return [
        f"{topic}, distant subscriber {name}: {figures['hz']} Hz"
        for name, topics in result.items()
        for topic, figures in topics.items()
        if topic in ON_THE_ROBOT and (figures["hz"] is None or abs(figures["hz"] - FRAME_RATE) > TOLERANCE_HZ)
    ]

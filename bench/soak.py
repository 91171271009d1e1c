"""Hours of a robot's day in short: `python -m bench.soak --minutes 30`, or `make soak`.

Viewers join and leave, parameters change, the camera is stopped, started, killed and replaced. Between rounds nobody
watches, and what webrtc_node and inference_node hold is looked at. Ends with code 1 when, after the warm-up, memory
grows by more than 1 MB in 10 minutes, or descriptors or threads grow at all.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from std_srvs.srv import Trigger

from bench.process_figures import Holdings, holdings
from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import NodeProcess, node_process, own_ros_domain
from picam_webrtc_test.ros.support import running_node, wait_until
from picam_webrtc_test.viewer import viewer

PARAMETERS: dict[str, ParameterValue] = {
    "source": "test_pattern", "transform": "none", "port": 0, "width": 640, "height": 360, "idle_timeout": 0.2,
    "encoded_topics": "compressed_image",
}  # fmt: skip
NAMES = ("camera_node", "inference_node", "webrtc_node")
WATCHED = ("inference_node", "webrtc_node")
"""The processes that live from the first round to the last."""
MOST_VIEWERS = 4
STANDSTILL_S = 0.5
"""Images pile up while their subscriber stands still. So it does in the first round: what is bounded is to be as large
as it gets before anything is compared.
"""
ATTEMPTS, ATTEMPT_TIMEOUT_S = 10, 3.0
REST_S, LONGEST_REST_S, LOOK_PERIOD_S = 1.5, 5.0, 0.25
"""Between a round and the look: connections, topics and threads take a moment to end, and memory is given back a second
after that.
"""
NOTABLE_MB = 1.0
"""More than after the round before, for which it is worth waiting longer."""
LONGEST_WARM_UP_S = 300.0
"""Caches are full by then; a soak shorter than twice that looks at its second half."""
MOST_MB_PER_10_MIN = 1.0
MOST_MORE_DESCRIPTORS = MOST_MORE_THREADS = 2
"""Between the medians of the first and the last third: the middleware keeps a few spare ones."""
CHANGES: tuple[tuple[str, str, Parameter.Type, tuple[Any, ...]], ...] = (
    ("webrtc_node", "bitrate", Parameter.Type.INTEGER, (500_000, 1_000_000, 2_000_000)),
    ("webrtc_node", "encode_frame_rate", Parameter.Type.DOUBLE, (15.0, 30.0)),
    ("webrtc_node", "streams", Parameter.Type.STRING_ARRAY,
     (["processed:=image_processed", "raw:=image_raw"], ["processed:=image_processed"])),
    ("inference_node", "threshold", Parameter.Type.DOUBLE, (0.3, 0.7)),
    ("camera_node", "jpeg_quality", Parameter.Type.INTEGER, (50, 90)),
)  # fmt: skip


class Robot:
    """The three processes, and a node that plays operator."""

    def __init__(self, stack: ExitStack, node: Node) -> None:
        self._stack = stack
        self._node = node
        self._processes: dict[str, NodeProcess] = {}
        for name in NAMES:
            self._start(name)
        self.url = self._processes["webrtc_node"].wait_for_line(r"The page is at (http://\S+)")[1]
        self._parameters = {name: AsyncParameterClient(node, name) for name in NAMES}
        self._switches = {switch: node.create_client(Trigger, f"/camera_node/{switch}") for switch in ("stop", "start")}

    def _start(self, name: str) -> None:
        self._processes[name] = self._stack.enter_context(node_process(name, PARAMETERS))

    def holdings(self) -> dict[str, Holdings]:
        return {name: holdings(self._processes[name].pid) for name in WATCHED}

    def change_parameter(self, name: str, parameter: Parameter) -> None:
        client = self._parameters[name]
        wait_until(client.services_are_ready, f"the parameters of {name}")
        answered(lambda: client.set_parameters([parameter]), f"{name} takes a parameter")

    def restart_capture(self) -> None:
        for switch in ("stop", "start"):
            client = self._switches[switch]
            wait_until(client.service_is_ready, "the camera's services")
            answered(lambda client=client: client.call_async(Trigger.Request()), f"the camera's {switch}")  # type: ignore[misc]

    def stand_still(self) -> None:
        for name in WATCHED:
            os.kill(self._processes[name].pid, signal.SIGSTOP)
            time.sleep(STANDSTILL_S)
            os.kill(self._processes[name].pid, signal.SIGCONT)

    def replace_camera(self) -> None:
        self._processes["camera_node"].stop(signal.SIGKILL)
        self._start("camera_node")
        self._processes["camera_node"].wait_for_line("Ready")


def answered(ask: Callable[[], Any], what: str) -> None:
    """Ask until there is an answer: what is asked while a killed node still seems to be there is lost."""
    for _ in range(ATTEMPTS):
        future = ask()
        with suppress(AssertionError):
            wait_until(future.done, what, timeout_s=ATTEMPT_TIMEOUT_S)
            return
    raise AssertionError(f"no answer: {what}")


@dataclass
class Log:
    """What the processes held after each round, and what was done to them."""

    times_s: list[float] = field(default_factory=list)
    held: dict[str, list[Holdings]] = field(default_factory=lambda: {name: [] for name in WATCHED})
    viewers: int = 0
    changes: int = 0
    disturbances: int = 0

    def add(self, now_s: float, held: dict[str, Holdings]) -> None:
        self.times_s.append(now_s)
        for name, one in held.items():
            self.held[name].append(one)


async def soak(robot: Robot, seconds: float, choices: random.Random, log: Log) -> None:
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < seconds:
        await one_round(robot, choices, log)
        held = await at_rest(robot, log)
        log.add(time.monotonic() - begin_s, held)


async def at_rest(robot: Robot, log: Log) -> dict[str, Holdings]:
    """What each process holds, or the least of it for a while where that is notably more than the last time."""
    await asyncio.sleep(REST_S)
    deadline_s = time.monotonic() + LONGEST_REST_S - REST_S
    held = robot.holdings()
    while time.monotonic() < deadline_s and any(
        log.held[name] and one.rss_mb > log.held[name][-1].rss_mb + NOTABLE_MB for name, one in held.items()
    ):
        await asyncio.sleep(LOOK_PERIOD_S)
        held = {name: one.least(held[name]) for name, one in robot.holdings().items()}
    return held


async def one_round(robot: Robot, choices: random.Random, log: Log) -> None:
    async with AsyncExitStack() as stack:
        watching = []
        for _ in range(choices.randint(1, MOST_VIEWERS)):
            one = await stack.enter_async_context(viewer(robot.url))
            await one.connect_by_whep("processed")
            await one.next_frame()
            watching.append(one)
            log.viewers += 1
        node, name, kind, values = choices.choice(CHANGES)
        await asyncio.to_thread(robot.change_parameter, node, Parameter(name, kind, choices.choice(values)))
        log.changes += 1
        disturbances = (robot.restart_capture, robot.replace_camera, None)
        disturbance = choices.choice(disturbances) if log.times_s else robot.stand_still
        if disturbance is not None:
            await asyncio.to_thread(disturbance)
            log.disturbances += 1
        for one in watching:
            try:
                await one.next_frame()
            except TimeoutError as error:
                done = f"{name} of {node} changed, then {getattr(disturbance, '__name__', 'nothing')}"
                raise AssertionError(f"no picture after {done}") from error


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line with the least squares, value a second."""
    mean_time, mean_value = fmean(times), fmean(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    return sum((a - mean_time) * (b - mean_value) for a, b in zip(times, values, strict=True)) / spread


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process after the warm-up."""

    rss_mb_per_10_min: float
    descriptors: float
    threads: float

    @property
    def acceptable(self) -> bool:
        few = self.descriptors <= MOST_MORE_DESCRIPTORS and self.threads <= MOST_MORE_THREADS
        return few and self.rss_mb_per_10_min <= MOST_MB_PER_10_MIN


def growth(times_s: Sequence[float], held: Sequence[Holdings]) -> Growth:
    warm_up_s = min(LONGEST_WARM_UP_S, times_s[-1] / 2)
    first = next(i for i, time_s in enumerate(times_s) if time_s >= warm_up_s)
    times_s, held = times_s[first:], held[first:]
    third = max(1, len(held) // 3)
    return Growth(
        rss_mb_per_10_min=round(600 * slope(times_s, [one.rss_mb for one in held]), 3),
        descriptors=_grown([one.descriptors for one in held], third),
        threads=_grown([one.threads for one in held], third),
    )


def _grown(values: Sequence[int], third: int) -> float:
    return median(values[-third:]) - median(values[:third])


@contextmanager
def running_robot() -> Iterator[Robot]:
    with own_ros_domain(), running_node("soak") as (runtime, node), ExitStack() as stack:
        runtime.spin()
        yield Robot(stack, node)


def run(minutes: float, seed: int) -> tuple[Log, dict[str, Growth]]:
    log = Log()
    with running_robot() as robot:
        asyncio.run(soak(robot, 60 * minutes, random.Random(seed), log))  # noqa: S311 - to be repeatable
    return log, {name: growth(log.times_s, held) for name, held in log.held.items()}


def main() -> int:
    parser = ArgumentParser("bench.soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="nothing but the result")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of what happens")
    options = parser.parse_args()
    log, grown = run(options.minutes, options.seed)
    if not options.json:
        for name, held in log.held.items():
            print(f"{name}: {held[0]} at first, {held[-1]} at last")
    done = {
        "rounds": len(log.times_s),
        "viewers": log.viewers,
        "changes": log.changes,
        "disturbances": log.disturbances,
    }
    print(json.dumps({**done, **{name: asdict(one) for name, one in grown.items()}}))
    return 0 if all(one.acceptable for one in grown.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Simulated time: topics carry it, the engines never see it."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rclpy.node import Node

from picam_webrtc.frame import Frame
from picam_webrtc.ros.process.sim_time import REMEMBERED_STAMPS, StampClock

REAL_NS, SIMULATED_NS = 1_790_000_000_000_000_000, 5_000_000_000


class Simulation:
    """A node with simulated time, as far as a StampClock looks at it."""

    def __init__(self) -> None:
        self.ros_time_is_active = True
        self.now_ns = SIMULATED_NS

    def get_clock(self) -> "Simulation":
        return self

    def now(self) -> Any:
        return SimpleNamespace(nanoseconds=self.now_ns)


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    monkeypatch.setattr("picam_webrtc.ros.process.sim_time.time.time_ns", lambda: REAL_NS)
    return Simulation()


def frame(stamp_ns: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), "bgr8", stamp_ns, "")


def test_a_frame_taken_now_is_stamped_with_simulated_time_and_keeps_its_pixels(simulation: Simulation) -> None:
    taken = frame(REAL_NS - 7)

    published = StampClock(cast(Node, simulation)).to_ros(taken)

    assert published.stamp_ns == SIMULATED_NS - 7
    assert published.pixels is taken.pixels


def test_what_one_exposure_gave_keeps_one_stamp_however_the_clocks_go_on(simulation: Simulation) -> None:
    clock = StampClock(cast(Node, simulation))

    main = clock.to_ros(frame(REAL_NS - 7))
    simulation.now_ns += 123
    small = clock.to_ros(frame(REAL_NS - 7))
    following = clock.to_ros(frame(REAL_NS))

    assert main.stamp_ns == small.stamp_ns == SIMULATED_NS - 7
    assert following.stamp_ns == SIMULATED_NS + 123


def test_one_simulated_stamp_is_always_the_same_system_stamp_and_leads_back(simulation: Simulation) -> None:
    clock = StampClock(cast(Node, simulation))

    system_ns = clock.to_system(frame(SIMULATED_NS)).stamp_ns
    simulation.now_ns += 30_000_000

    assert clock.system_stamp(SIMULATED_NS) == system_ns == REAL_NS
    assert clock.ros_stamp(system_ns) == SIMULATED_NS


def test_only_so_many_stamps_are_remembered(simulation: Simulation) -> None:
    clock = StampClock(cast(Node, simulation))
    for number in range(10 * REMEMBERED_STAMPS):
        clock.system_stamp(number)

    assert clock.ros_stamp(REAL_NS - SIMULATED_NS) == REAL_NS - SIMULATED_NS  # the first has been forgotten


def test_without_simulation_nothing_is_touched(simulation: Simulation) -> None:
    simulation.ros_time_is_active = False
    clock, taken = StampClock(cast(Node, simulation)), frame(REAL_NS)

    assert clock.to_ros(taken) is taken
    assert clock.to_system(taken) is taken
    assert clock.system_stamp(1) == clock.ros_stamp(1) == 1

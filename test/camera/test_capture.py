"""The capture thread keeps delivering: faults, raising handlers, hung drivers, restarts."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from picam_webrtc.camera.capture import BackOff, Capture, CaptureState
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs
from picam_webrtc.view import View
from picam_webrtc_test.camera.fakes import TIMEOUT_S, FakeSource, Gone, make_frame_set

NO_DELAY = BackOff(first=0.0, longest=0.0)


class Collector:
    """A handler that tests wait on."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._changed = threading.Condition()

    def __call__(self, frame: Frame) -> None:
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.frames) >= count, TIMEOUT_S)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def capture(source: FakeSource, collector: Collector) -> Iterator[Capture]:
    capture = Capture(source, collector, back_off=NO_DELAY)
    yield capture
    capture.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    deadline = threading.Timer(TIMEOUT_S, done.set)
    deadline.start()
    while not condition() and not done.wait(0.001):
        pass
    deadline.cancel()
    deadline.join()
    assert condition()


def test_frames_are_handed_on_in_order(source: FakeSource, collector: Collector, capture: Capture) -> None:
    for stamp in range(5):
        source.frame_sets.put(make_frame_set(stamp))
    capture.start()
    collector.wait_for(5)

    assert [frame.stamp_ns for frame in collector.frames] == [0, 1, 2, 3, 4]
    assert capture.status().state is CaptureState.LIVE
    assert capture.status().frames == 5


def test_lores_frames_go_to_their_own_handler(source: FakeSource, collector: Collector) -> None:
    small = Collector()
    source.frame_sets.put(make_frame_set(1, lores=True))
    source.frame_sets.put(make_frame_set(2))
    with Capture(source, collector, on_lores=small):
        collector.wait_for(2)

    assert [frame.stamp_ns for frame in small.frames] == [1]


def test_a_life_is_logged(source: FakeSource, collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    source.frame_sets.put(make_frame_set())
    with Capture(source, collector):
        collector.wait_for(1)

    assert caplog.messages == [
        "Camera started: fake camera",
        "Captured image frame with shape: (4, 6, 3)",
        "Camera stopped",
        "Camera closed successfully.",
    ]


def test_stop_closes_the_source_and_start_opens_it_again(
    source: FakeSource, collector: Collector, capture: Capture
) -> None:
    for count in (1, 2):
        source.frame_sets.put(make_frame_set())
        capture.start()
        capture.start()
        collector.wait_for(count)
        capture.stop()
        capture.stop()
        assert capture.status().state is CaptureState.STOPPED
        assert not capture.running

    assert source.log == ["open", "close"] * 2


def test_a_fault_closes_the_source_and_opens_it_anew(
    source: FakeSource, collector: Collector, capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source.frame_sets.put(make_frame_set(1))
    source.frame_sets.put(Gone("cable out"))
    source.frame_sets.put(make_frame_set(2))
    capture.start()
    collector.wait_for(2)
    status = capture.status()

    assert source.log == ["open", "close", "open"]
    assert (status.state, status.faults, status.attempts) == (CaptureState.LIVE, 1, 0)
    assert "Camera fault: cable out; opening again in 0 s" in caplog.messages
    assert "Camera delivers again after 1 faults" in caplog.messages


def test_frames_that_stop_coming_are_a_fault(source: FakeSource, collector: Collector) -> None:
    source.frame_sets.put(make_frame_set(1))
    with Capture(source, collector, watchdog_timeout_s=0.01, back_off=BackOff(3600)) as capture:
        wait_until(lambda: capture.status().state is CaptureState.FAULT)
        assert capture.status().last_error == "no frame for 0.01 s from fake camera"
        assert source.closed.acquire(timeout=TIMEOUT_S)


def test_an_opening_that_fails_is_tried_again(source: FakeSource, collector: Collector, capture: Capture) -> None:
    source.open_errors = [CameraError("busy"), CameraError("busy")]
    source.frame_sets.put(make_frame_set())
    capture.start()
    collector.wait_for(1)

    assert source.log.count("open") == 3
    assert capture.status().faults == 2


def test_an_unforeseen_error_of_a_source_is_logged_with_its_trace_and_retried(
    source: FakeSource, collector: Collector, capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    source.frame_sets.put(ZeroDivisionError("who would have thought"))
    source.frame_sets.put(make_frame_set())
    capture.start()
    collector.wait_for(1)

    assert any(record.exc_info and record.message == "Camera source broke" for record in caplog.records)


def test_a_handler_that_raises_stops_nothing(source: FakeSource, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()

    def handler(frame: Frame) -> None:
        collector(frame)
        if frame.stamp_ns == 1:
            raise KeyError("handler")

    source.frame_sets.put(make_frame_set(1))
    source.frame_sets.put(make_frame_set(2))
    with Capture(source, handler) as capture:
        collector.wait_for(2)
        assert capture.status().handler_errors == 1
        assert capture.status().faults == 0

    assert source.log == ["open", "close"]
    assert "A handler of frames failed; capture goes on" in caplog.messages


def test_stop_ends_a_wait_for_the_next_attempt(source: FakeSource, collector: Collector) -> None:
    source.open_errors = [CameraError("no camera")]
    capture = Capture(source, collector, back_off=BackOff(3600, 3600))
    capture.start()
    wait_until(lambda: capture.status().state is CaptureState.FAULT)
    capture.stop()

    assert not any(thread.name == "capture" for thread in threading.enumerate())


def test_a_driver_that_hangs_is_left_behind_and_waited_for_by_the_next_start(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picam_webrtc.camera.capture.STOP_TIMEOUT_S", 0.01)
    hung, freed = threading.Event(), threading.Event()

    class Hanging(FakeSource):
        def read(self, timeout_s: float) -> FrameSet | None:
            if not hung.is_set():
                hung.set()
                freed.wait(TIMEOUT_S)
                return make_frame_set()
            return super().read(timeout_s)

    source = Hanging()
    capture = Capture(source, collector)
    capture.start()
    assert hung.wait(TIMEOUT_S)
    capture.stop()
    assert "Camera does not let go (fake camera)" in caplog.text
    monkeypatch.undo()

    source.frame_sets.put(make_frame_set())
    capture.start()
    assert source.log == ["open"]
    freed.set()
    collector.wait_for(1)
    capture.stop()

    assert source.log == ["open", "close", "open", "close"]
    assert len(collector.frames) == 1


def test_a_source_that_does_not_close_is_reported(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(FakeSource):
        def close(self) -> None:
            raise CameraError("fake camera does not close")

    source = Stuck()
    source.frame_sets.put(make_frame_set())
    with Capture(source, collector):
        collector.wait_for(1)

    assert "fake camera does not close" in caplog.messages
    assert "Camera closed successfully." not in caplog.messages


def test_a_driver_that_hangs_while_opening_is_seen_in_the_status(collector: Collector) -> None:
    freed = threading.Event()

    class Hanging(FakeSource):
        def open(self) -> None:
            super().open()
            freed.wait(TIMEOUT_S)

    source = Hanging()
    with Capture(source, collector) as capture:
        assert source.opened.acquire(timeout=TIMEOUT_S)
        before = capture.status().silent_s
        wait_until(lambda: capture.status().silent_s > before)
        assert capture.status().state is CaptureState.OPENING
        freed.set()


def test_the_waits_between_attempts_double_up_to_the_longest() -> None:
    back_off = BackOff(first=0.5, longest=10.0)

    assert [back_off.delay_s(attempts) for attempts in (1, 2, 3, 4, 5, 6, 500)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_latest_metadata_is_in_the_status(source: FakeSource, collector: Collector, capture: Capture) -> None:
    source.frame_sets.put(make_frame_set(metadata={"SensorTemperature": 41.0}))
    capture.start()
    collector.wait_for(1)

    assert capture.status().metadata == {"SensorTemperature": 41.0}


def test_what_the_sensor_made_of_a_frame_is_handed_on_before_it() -> None:
    view = View((4056, 3040), (0, 0, 4056, 3040), (0, 0, 4056, 3040))
    outputs = SensorOutputs(SensorNetwork("pets"), view)
    source, order = FakeSource(), queue.SimpleQueue[object]()
    with Capture(source, order.put, on_sensor_outputs=lambda one, frame: order.put((one, frame))):
        frame_set = replace(make_frame_set(), sensor_outputs=outputs)
        source.frame_sets.put(frame_set)
        source.frame_sets.put(make_frame_set(2))
        handed = [order.get(timeout=TIMEOUT_S) for _ in range(3)]

    assert handed[0] == (outputs, frame_set.frame)
    assert handed[1] is frame_set.frame
    assert isinstance(handed[2], Frame)

"""Stamps are the sensor's time on ROS's clock, also while that clock is being set."""

from picam_webrtc.camera.clock import SystemClock, boot_to_real_ns, wait_until
from picam_webrtc.camera.stamps import stamp_ns
from picam_webrtc_test.camera.fakes import FakeClock

FRAME_AGE_NS = 12_000_000


def test_the_wall_clock_of_libcamera_is_taken_where_it_is_credible() -> None:
    clock = FakeClock()
    wall_ns = clock.realtime_ns() - FRAME_AGE_NS + 300_000

    assert stamp_ns({"FrameWallClock": wall_ns, "SensorTimestamp": clock.now_ns - FRAME_AGE_NS}, clock) == wall_ns


def test_the_sensor_timestamp_is_moved_to_real_time() -> None:
    clock = FakeClock()

    assert stamp_ns({"SensorTimestamp": clock.now_ns - FRAME_AGE_NS}, clock) == clock.realtime_ns() - FRAME_AGE_NS


def test_after_a_clock_step_stamps_follow_the_new_time_at_once() -> None:
    clock = FakeClock()
    before = stamp_ns({"SensorTimestamp": clock.now_ns}, clock)
    clock.real_offset_ns += 3_600_000_000_000
    stale_wall_ns = before + 33_000_000
    clock.now_ns += 33_000_000
    after = stamp_ns({"FrameWallClock": stale_wall_ns, "SensorTimestamp": clock.now_ns}, clock)

    assert after - before == 3_600_000_000_000 + 33_000_000


def test_without_any_time_in_the_metadata_it_is_now() -> None:
    clock = FakeClock()

    assert stamp_ns({}, clock) == clock.realtime_ns()
    assert stamp_ns({"FrameWallClock": 77}, clock) == 77


def test_an_interrupted_reading_of_the_two_clocks_is_not_the_one_that_counts() -> None:
    class Interrupted(FakeClock):
        reads = 0

        def realtime_ns(self) -> int:
            self.reads += 1
            if self.reads == 1:
                self.now_ns += 50_000_000
            return super().realtime_ns()

    clock = Interrupted()

    assert boot_to_real_ns(clock) == clock.real_offset_ns


def test_the_system_clock_agrees_with_itself() -> None:
    clock = SystemClock()
    offset_ns = boot_to_real_ns(clock)

    assert abs(clock.boottime_ns() + offset_ns - clock.realtime_ns()) < 1_000_000_000
    assert wait_until(clock, clock.monotonic_ns() + 1_000_000, timeout_s=1)
    assert not wait_until(clock, clock.monotonic_ns() + 10_000_000_000, timeout_s=0.001)

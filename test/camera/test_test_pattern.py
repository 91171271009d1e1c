"""The test pattern: paced without drift, numbered, stamped, and cheap without ever touching a held frame."""

import numpy as np
import pytest

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.test_pattern import PatternCode, TestPatternSource, read_code
from picam_webrtc.errors import CameraError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fakes import FakeClock


def opened(clock: FakeClock, **values: object) -> TestPatternSource:
    source = TestPatternSource(CameraSettings.from_values({"source": "test_pattern", **values}), clock)
    source.open()
    return source


def next_frame_set(source: TestPatternSource) -> FrameSet:
    frame_set = source.read(timeout_s=10)
    assert frame_set is not None
    return frame_set


def test_a_frame_carries_its_number_and_its_stamp_in_its_pixels() -> None:
    source = opened(FakeClock())
    for number in range(3):
        frame = next_frame_set(source).frame

        assert read_code(frame.pixels) == PatternCode.of(number, frame.stamp_ns)


def test_frames_have_the_size_encoding_and_frame_id_of_the_settings() -> None:
    frame = next_frame_set(opened(FakeClock(), width=640, height=480, frame_id="left_optical")).frame

    assert (frame.shape, frame.encoding, frame.frame_id) == ((480, 640, 3), "bgr8", "left_optical")


@pytest.mark.parametrize("size", [(64, 64), (64, 2592), (4608, 64)])
def test_the_extreme_sizes_are_drawn(size: tuple[int, int]) -> None:
    source = opened(FakeClock(), width=size[0], height=size[1])

    for _ in range(5):
        frame = next_frame_set(source).frame
        assert read_code(frame.pixels) is not None


def test_the_rate_does_not_drift_though_every_frame_takes_its_time() -> None:
    clock = FakeClock()
    source = opened(clock, frame_rate=30.0)
    start_ns = clock.now_ns
    for _ in range(301):
        next_frame_set(source)
        clock.now_ns += 7_000_000

    assert clock.now_ns - start_ns - 7_000_000 == pytest.approx(10e9, abs=1e6)


def test_after_a_stall_frames_go_on_at_their_rate_without_a_burst() -> None:
    clock = FakeClock()
    source = opened(clock, frame_rate=10.0)
    next_frame_set(source)
    clock.now_ns += 1_030_000_000
    late = next_frame_set(source).frame
    following = next_frame_set(source).frame

    assert following.stamp_ns - late.stamp_ns == 70_000_000
    assert read_code(following.pixels) == PatternCode.of(2, following.stamp_ns)


def test_a_read_that_is_too_early_returns_nothing_after_its_timeout() -> None:
    clock = FakeClock()
    source = opened(clock, frame_rate=1.0)
    next_frame_set(source)

    assert source.read(timeout_s=0.25) is None
    assert clock.slept_ns == [250_000_000]


def test_a_frame_that_is_held_never_changes() -> None:
    source = opened(FakeClock(), width=320, height=240)
    held = [next_frame_set(source).frame for _ in range(10)]
    copies = [frame.pixels.copy() for frame in held]
    for _ in range(20):
        next_frame_set(source)

    assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(held, copies, strict=True))
    assert len({frame.pixels.ctypes.data for frame in held}) == 10


def test_a_view_of_a_frame_holds_it_as_the_frame_itself_does() -> None:
    source = opened(FakeClock(), width=320, height=240)
    strip = next_frame_set(source).frame.pixels[10:20].reshape(-1)[5:]
    copy = strip.copy()
    for _ in range(10):
        next_frame_set(source)

    assert np.array_equal(strip, copy)


def test_buffers_that_nobody_holds_are_used_again() -> None:
    source = opened(FakeClock(), width=320, height=240)
    addresses = {next_frame_set(source).frame.pixels.ctypes.data for _ in range(20)}

    assert len(addresses) <= 2


def test_frames_cannot_be_written_to() -> None:
    assert not next_frame_set(opened(FakeClock())).frame.pixels.flags.writeable


def test_a_reused_buffer_shows_nothing_of_its_last_picture() -> None:
    clock = FakeClock()
    recycled = opened(clock, width=320, height=240)
    for _ in range(7):
        next_frame_set(recycled)
    expected = opened(clock, width=320, height=240)
    expected._frame_number = recycled._frame_number
    one, other = next_frame_set(recycled).frame.pixels, next_frame_set(expected).frame.pixels

    assert np.array_equal(one[30:200], other[30:200])


def test_the_picture_moves() -> None:
    source = opened(FakeClock(), width=320, height=240)
    one, other = next_frame_set(source).frame.pixels, next_frame_set(source).frame.pixels

    assert not np.array_equal(one[30:200], other[30:200])


def test_numbers_go_on_after_a_reopening() -> None:
    source = opened(FakeClock())
    next_frame_set(source)
    source.close()
    source.open()
    frame = next_frame_set(source).frame

    assert read_code(frame.pixels) == PatternCode.of(1, frame.stamp_ns)


def test_a_closed_pattern_is_not_read() -> None:
    source = opened(FakeClock())
    source.close()
    source.close()

    with pytest.raises(CameraError, match="not open"):
        source.read(1)

"""The code in the picture is read back whole or not at all, after whatever a stream does to it."""

import io

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picam_webrtc.camera.code import CodeWriter, PatternCode, crc8, read_code
from picam_webrtc.frame import Pixels

frame_numbers = st.integers(0, (1 << 24) - 1)
capture_times = st.integers(0, (1 << 40) - 1)


def picture_with(code: PatternCode, width: int = 1280, height: int = 720) -> Pixels:
    pixels = np.full((height, width, 3), 90, np.uint8)
    CodeWriter(width, height).write(pixels, code)
    return pixels


@given(frame_numbers, capture_times, st.integers(32, 2592), st.integers(24, 2592))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_at_any_picture_size(number: int, capture_us: int, width: int, height: int) -> None:
    code = PatternCode(number, capture_us)
    expected = code if width >= 36 else None

    assert read_code(picture_with(code, width, height) if expected else np.zeros((height, width, 3))) == expected


@pytest.mark.parametrize("size", [(640, 360), (320, 180), (300, 200)])
def test_scaling_down_does_not_hurt_it(size: tuple[int, int]) -> None:
    code = PatternCode(123_456, 987_654_321_012)

    assert read_code(cv2.resize(picture_with(code), size, interpolation=cv2.INTER_AREA)) == code


def test_h264_at_2_mbit_s_does_not_hurt_it() -> None:
    codes = [PatternCode(number, 33_333 * number) for number in range(30)]
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    pictures = []
    for code in codes:
        noise = np.roll(noise, 7, axis=1)
        picture = noise.copy()
        CodeWriter(1280, 720).write(picture, code)
        pictures.append(picture)

    assert [read_code(picture) for picture in through_h264(pictures)] == codes


def through_h264(pictures: list[Pixels]) -> list[Pixels]:
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 2_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@given(st.integers(0, 71))
@settings(max_examples=30, deadline=None)
def test_one_wrong_cell_makes_it_unreadable_rather_than_wrong(cell: int) -> None:
    pixels = picture_with(PatternCode(1, 2), 360, 240)
    row, column = divmod(cell, 36)
    area = pixels[row * 10 : row * 10 + 10, column * 10 : column * 10 + 10]
    area[:] = 255 - area

    assert read_code(pixels) is None


def test_a_picture_without_a_code_has_none() -> None:
    assert read_code(np.zeros((720, 1280, 3), np.uint8)) is None
    assert read_code(np.zeros((20, 30, 3), np.uint8)) is None


def test_the_checksum_is_the_published_one() -> None:
    # "123456789" is the customary check input; for this polynomial and initial value it gives 0xFB.
    assert crc8(b"123456789") == 0xFB


def test_the_number_and_the_capture_time_wrap() -> None:
    just_before_wrap_ns = ((1 << 40) - 10) * 1000
    code = PatternCode.of(1 << 24, just_before_wrap_ns)

    assert code == PatternCode(0, (1 << 40) - 10)
    assert PatternCode.of(1, just_before_wrap_ns + 25_000) == PatternCode(1, 15)

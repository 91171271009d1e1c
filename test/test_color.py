"""Colours by the numbers of the standards: the bars of a test signal, in every colour space and encoding."""

import cv2
import numpy as np
import pytest

from picam_webrtc.camera.jpeg import JpegEncoder
from picam_webrtc.color import CODINGS, as_smpte170m
from picam_webrtc.frame import ColorSpace, Frame, Pixels
from picam_webrtc.inference.preprocess import drawable
from picam_webrtc.ros.topics.messages import frame_from_message
from picam_webrtc.streaming.encode import i420
from picam_webrtc_test.color_bars import BARS, RGB, Triple
from picam_webrtc_test.ros.support import image_message

CASES = [(space, name) for space in ColorSpace for name in RGB]
WIDTH, HEIGHT = 16, 8


def yuv(encoding: str, values: Triple) -> Pixels:
    """A picture of one colour."""
    y, cb, cr = values
    if encoding in ("nv12", "nv21"):
        pixels = np.full((HEIGHT * 3 // 2, WIDTH), y, np.uint8)
        pixels[HEIGHT:, 0::2], pixels[HEIGHT:, 1::2] = (cb, cr) if encoding == "nv12" else (cr, cb)
        return pixels
    pixels = np.full((HEIGHT, WIDTH, 2), y, np.uint8)
    at = 0 if encoding == "yuv422" else 1
    pixels[:, 0::2, at], pixels[:, 1::2, at] = cb, cr
    return pixels


def frame(encoding: str, space: ColorSpace, name: str) -> Frame:
    pixels = yuv(encoding, BARS[space][name])
    pixels.flags.writeable = False
    return Frame(pixels, encoding, 1, "cam", space)


@pytest.mark.parametrize(("space", "name"), CASES)
def test_the_matrices_are_the_standards_own(space: ColorSpace, name: str) -> None:
    coding = CODINGS[space]
    luma, blue, red = coding.matrix() @ (np.array(RGB[name]) / 255)
    made = (
        coding.black + coding.luma_span * luma,
        128 + coding.chroma_span * blue,
        128 + coding.chroma_span * red,
    )

    assert np.clip(made, 0, 255) == pytest.approx(BARS[space][name], abs=0.51)


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "yuv422", "yuv422_yuy2"])
@pytest.mark.parametrize(("space", "name"), CASES)
def test_every_colour_space_comes_to_the_one(space: ColorSpace, name: str, encoding: str) -> None:
    given = frame(encoding, space, name)
    made = as_smpte170m(given)

    assert made.color_space is ColorSpace.SMPTE170M
    expected = yuv(encoding, BARS[ColorSpace.SMPTE170M][name]).astype(int)
    assert np.abs(made.pixels.astype(int) - expected).max() <= 2  # rounded twice
    assert (made is given) == (space is ColorSpace.SMPTE170M)


def test_pictures_without_luma_and_chroma_have_no_colour_space_to_change() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    made = as_smpte170m(Frame(pixels, "bgr8", 0, "", ColorSpace.REC709))

    assert made.pixels is pixels
    assert made.color_space is ColorSpace.SMPTE170M


@pytest.mark.parametrize("name", RGB)
@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "bgra8", "rgba8"])
def test_video_is_bt601_in_limited_range(encoding: str, name: str) -> None:
    red, green, blue = RGB[name]
    values = {"bgr8": (blue, green, red), "rgb8": (red, green, blue)}
    values |= {"bgra8": (*values["bgr8"], 255), "rgba8": (*values["rgb8"], 255)}  # type: ignore[dict-item]
    pixels = np.full((HEIGHT, WIDTH, len(values[encoding])), values[encoding], np.uint8)
    out = i420.empty(WIDTH, HEIGHT)
    i420.convert(Frame(pixels, encoding, 0, ""), out)

    made = [int(plane[0, 0]) for plane in i420.planes(out)]
    assert made == pytest.approx(BARS[ColorSpace.SMPTE170M][name], abs=1)


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "yuv422", "yuv422_yuy2"])
@pytest.mark.parametrize(("space", "name"), CASES)
def test_video_of_every_colour_space_is_bt601_in_limited_range(space: ColorSpace, name: str, encoding: str) -> None:
    out = i420.empty(WIDTH, HEIGHT)
    i420.convert(frame(encoding, space, name), out)

    made = [int(plane[0, 0]) for plane in i420.planes(out)]
    assert made == pytest.approx(BARS[ColorSpace.SMPTE170M][name], abs=2)


@pytest.mark.parametrize(("grey", "luma"), [(0, 16), (255, 235), (128, 126)])
def test_grey_has_the_range_of_video_too(grey: int, luma: int) -> None:
    out = i420.empty(WIDTH, HEIGHT)
    i420.convert(Frame(np.full((HEIGHT, WIDTH), grey, np.uint8), "mono8", 0, ""), out)

    assert [int(plane[0, 0]) for plane in i420.planes(out)] == [luma, 128, 128]


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "yuv422", "yuv422_yuy2"])
@pytest.mark.parametrize(("space", "name"), CASES)
def test_what_is_drawn_into_and_what_is_compressed_has_the_colours_of_the_scene(
    space: ColorSpace, name: str, encoding: str
) -> None:
    given = frame(encoding, space, name)
    drawn = drawable(given)
    compressed = cv2.imdecode(np.frombuffer(JpegEncoder().encode(given, 95), np.uint8), cv2.IMREAD_COLOR)

    expected = np.array(RGB[name][::-1])
    assert drawn.encoding == "bgr8"
    assert drawn.pixels[4, 8] == pytest.approx(expected, abs=5)
    assert np.asarray(compressed)[4, 8] == pytest.approx(expected, abs=5)


def test_what_other_processes_get_is_in_the_colour_space_that_they_take_it_for() -> None:
    made = frame_from_message(image_message(frame("nv12", ColorSpace.REC709, "red")))

    assert made.color_space is ColorSpace.SMPTE170M
    assert int(made.pixels[0, 0]) == pytest.approx(81, abs=1)

"""Every encoding becomes the same picture in I420."""

import cv2
import numpy as np
import pytest

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import SUPPORTED_ENCODINGS, Frame, Pixels
from picam_webrtc.streaming.encode import i420

BLUE, GREEN, RED = 40, 160, 220
WIDTH, HEIGHT = 32, 16


def flat_bgr(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """One colour, so that chroma subsampling loses nothing."""
    return np.full((height, width, 3), (BLUE, GREEN, RED), np.uint8)


def expected() -> Pixels:
    return np.asarray(cv2.cvtColor(flat_bgr(), cv2.COLOR_BGR2YUV_I420))


def in_encoding(encoding: str, luma: int, u: int, v: int) -> Pixels:
    bgr = flat_bgr()
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    packed = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    semi_planar = np.full((HEIGHT * 3 // 2, WIDTH), luma, np.uint8)
    luma_channel = 1 if encoding == "yuv422" else 0
    packed[..., luma_channel] = luma
    packed[:, 0::2, 1 - luma_channel], packed[:, 1::2, 1 - luma_channel] = u, v
    first, second = (u, v) if encoding == "nv12" else (v, u)
    semi_planar[HEIGHT:, 0::2], semi_planar[HEIGHT:, 1::2] = first, second
    return {
        "bgr8": bgr,
        "rgb8": bgr[..., ::-1],
        "bgra8": np.concatenate([bgr, alpha], axis=-1),
        "rgba8": np.concatenate([bgr[..., ::-1], alpha], axis=-1),
        "mono8": bgr[..., 0],
        "yuv422": packed,
        "yuv422_yuy2": packed,
        "nv12": semi_planar,
        "nv21": semi_planar,
    }[encoding]


def with_padded_rows(pixels: Pixels) -> Pixels:
    """The same picture as a read-only view of rows that are further apart."""
    wide = np.zeros((pixels.shape[0], pixels.shape[1] + 8, *pixels.shape[2:]), np.uint8)
    wide[:, : pixels.shape[1]] = pixels
    view = wide[:, : pixels.shape[1]]
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("encoding", sorted(SUPPORTED_ENCODINGS - {"mono8"}))
def test_a_colour_is_the_same_whatever_its_encoding(encoding: str, padded: bool) -> None:
    luma, u, v = (int(plane[0, 0]) for plane in i420.planes(expected()))
    pixels = in_encoding(encoding, luma, u, v)
    out = i420.empty(WIDTH, HEIGHT)

    i420.convert(Frame(with_padded_rows(pixels) if padded else pixels, encoding, 0, ""), out)

    assert np.abs(out.astype(int) - expected().astype(int)).max() <= 1


def test_a_grey_picture_has_no_colour() -> None:
    out = i420.empty(WIDTH, HEIGHT)

    i420.convert(Frame(np.full((HEIGHT, WIDTH), 77, np.uint8), "mono8", 0, ""), out)

    luma, u, v = i420.planes(out)
    assert (luma == 82).all()  # 16 + 77 * 219 / 255: BT.601's range of luma
    assert (u == 128).all()
    assert (v == 128).all()


@pytest.mark.parametrize("encoding", sorted(set(SUPPORTED_ENCODINGS) - {"nv12", "nv21"}))
def test_an_odd_row_and_column_are_left_out(encoding: str) -> None:
    pixels = in_encoding(encoding, 100, 110, 120)[: HEIGHT - 1, : WIDTH - 1]
    out = i420.empty(WIDTH - 2, HEIGHT - 2)

    i420.convert(Frame(pixels, encoding, 0, ""), out)

    assert i420.even_size(WIDTH - 1, HEIGHT - 1) == (WIDTH - 2, HEIGHT - 2)


def test_luma_keeps_its_place() -> None:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[3, 5] = 200
    out = i420.empty(WIDTH, HEIGHT)

    i420.convert(Frame(pixels, "mono8", 0, ""), out)

    assert (out[3, 5], out[3, 4]) == (188, 16)


def test_scaling_keeps_a_flat_picture_flat() -> None:
    out = i420.empty(WIDTH // 2, HEIGHT // 2)

    i420.scale(expected(), out)

    assert [int(plane.mean()) for plane in i420.planes(out)] == [int(plane[0, 0]) for plane in i420.planes(expected())]


@pytest.mark.parametrize(
    ("pixels", "encoding", "complaint"),
    [
        (np.zeros((4, 4), np.uint16), "mono16", "'mono16' cannot be streamed; these can: bgr8"),
        (np.zeros((1, 4), np.uint8), "mono8", "4x1 pixels"),
    ],
)
def test_what_cannot_be_a_video_is_refused(pixels: Pixels, encoding: str, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint):
        i420.convert(Frame(pixels, encoding, 0, ""), i420.empty(4, 4))


def test_an_array_of_another_size_is_refused() -> None:
    with pytest.raises(ImageError, match="picture of 4x4"):
        i420.convert(Frame(np.zeros((4, 4), np.uint8), "mono8", 0, ""), i420.empty(8, 8))

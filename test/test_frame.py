"""Pixels are viewed in place, whatever the encoding and the row padding."""

import numpy as np
import pytest

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame, view_rows


@pytest.mark.parametrize("encoding", sorted(PACKED_CHANNELS))
@pytest.mark.parametrize("padding", [0, 5])
def test_a_packed_image_is_viewed_without_its_row_padding(encoding: str, padding: int) -> None:
    channels = PACKED_CHANNELS[encoding]
    step = 6 * channels + padding
    data = np.arange(4 * step, dtype=np.uint8)

    pixels = view_rows(data, 6, 4, step, encoding)

    assert pixels.shape == ((4, 6, channels) if channels > 1 else (4, 6))
    assert np.shares_memory(pixels, data)
    assert pixels[2].reshape(-1).tolist() == data[2 * step : 2 * step + 6 * channels].tolist()


@pytest.mark.parametrize("encoding", sorted(SEMI_PLANAR))
def test_a_semi_planar_image_keeps_its_picture_size(encoding: str) -> None:
    pixels = view_rows(np.zeros(8 * 6, np.uint8), 6, 4, 8, encoding)
    frame = Frame(pixels, encoding, 0, "")

    assert pixels.shape == (6, 6)
    assert (frame.width, frame.height) == (6, 4)


@pytest.mark.parametrize(
    ("width", "height", "step", "encoding", "complaint"),
    [
        (6, 4, 17, "bgr8", "step 17 is less than the 18 bytes"),
        (6, 9, 18, "bgr8", "cut short"),
        (0, 4, 18, "bgr8", "both must be at least 1"),
        (5, 4, 18, "nv12", "both must be even"),
        (6, 4, 18, "32FC1", "'32FC1' has no direct view"),
    ],
)
def test_an_impossible_layout_is_refused_with_its_figures(
    width: int, height: int, step: int, encoding: str, complaint: str
) -> None:
    with pytest.raises(ImageError, match=complaint):
        view_rows(np.zeros(4 * 18, np.uint8), width, height, step, encoding)


def test_the_last_row_needs_no_padding() -> None:
    assert view_rows(np.zeros(20 + 18, np.uint8), 6, 2, 20, "bgr8").shape == (2, 6, 3)


def test_a_view_refuses_writes() -> None:
    assert not view_rows(np.zeros(12, np.uint8), 2, 2, 6, "bgr8").flags.writeable

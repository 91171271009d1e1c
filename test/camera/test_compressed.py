"""Pictures out of compressed messages."""

import numpy as np
import pytest

from picam_webrtc.camera.compressed import Decompressor, decode_picture, video_decoder
from picam_webrtc.errors import ImageError
from picam_webrtc_test.camera.compressed import HALF, encoded, video


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_still_picture_keeps_its_colours(extension: str) -> None:
    pixels = decode_picture(encoded(extension, HALF), "whatever the name says")

    assert pixels.shape == (48, 64, 3)
    assert pixels[24, 60, 2] > 240
    assert pixels[24, 4].max() < 16


def test_grey_stays_grey_depth_becomes_visible_and_alpha_is_left_out() -> None:
    depth = np.full((4, 6), 0x8000, np.uint16)

    assert decode_picture(encoded(".png", HALF[:, :, 0]), "png").shape == (48, 64)
    assert decode_picture(encoded(".png", depth), "16UC1; png compressed").tolist() == [[0x80] * 6] * 4
    assert decode_picture(encoded(".png", np.zeros((4, 6, 4), np.uint8)), "png").shape == (4, 6, 3)


@pytest.mark.parametrize("data", [b"", b"no picture at all"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="no picture"):
        decode_picture(data, "jpeg")


@pytest.mark.parametrize(
    ("text", "decoder"),
    [("h264", "h264"), ("H265", "hevc"), ("h264;yuv420p;bgr8;bgr8", "h264"), ("bgr8; jpeg compressed bgr8", None)],
)
def test_a_format_names_its_decoder(text: str, decoder: str | None) -> None:
    assert video_decoder(text) == decoder


def test_every_packet_of_a_video_is_a_picture_at_once() -> None:
    decompressor = Decompressor()

    pictures = [decompressor.decode(packet, "h264") for packet in video(5)]

    assert [picture is not None and picture.shape for picture in pictures] == [(48, 64, 3)] * 5


def test_a_video_entered_in_the_middle_shows_from_its_next_key_frame_on() -> None:
    decompressor, shown = Decompressor(), list[bool]()

    for packet in [*video(3)[1:], *video(2)]:
        try:
            shown.append(decompressor.decode(packet, "h264") is not None)
        except ImageError:
            shown.append(False)

    assert shown == [False, False, True, True]

"""A coded video says which colours it has, and shows those of the scene."""

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from picam_webrtc.frame import ColorSpace, Frame, Pixels
from picam_webrtc.streaming.encode import i420
from picam_webrtc.streaming.encode.encoders import EncoderConfig, Vp8Encoder, X264Encoder
from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc_test.color_bars import BARS

WIDTH, HEIGHT = 320, 240
MATRIX_SMPTE170M, LIMITED_RANGE = 6, 0
"""ITU-T H.273, tables 4 and 8.3: MatrixCoefficients 6, VideoFullRangeFlag 0."""


def nv12(color_space: ColorSpace, name: str) -> Frame:
    y, cb, cr = BARS[color_space][name]
    pixels = np.full((HEIGHT * 3 // 2, WIDTH), y, np.uint8)
    pixels[HEIGHT:, 0::2], pixels[HEIGHT:, 1::2] = cb, cr
    return Frame(pixels, "nv12", 0, "", color_space)


def decoded(codec: Codec, frame: Frame) -> tuple[bytes, VideoFrame]:
    config = EncoderConfig(codec, WIDTH, HEIGHT, 2_000_000, 2_000_000, 30.0)
    encoder = X264Encoder(config) if codec is Codec.H264 else Vp8Encoder(config)
    picture = i420.empty(WIDTH, HEIGHT)
    i420.convert(frame, picture)
    (coded,) = encoder.encode(picture, 0, True)
    decoder = av.CodecContext.create("h264" if codec is Codec.H264 else "vp8", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames = [*decoder.decode(av.Packet(coded.data)), *decoder.decode(None)]
    return coded.data, frames[0]


class Bits:
    """Of a NAL unit without its emulation prevention."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data.replace(b"\x00\x00\x03", b"\x00\x00"))
        self._at = 0

    def u(self, count: int) -> int:
        self._at += count
        return int(self._bits[self._at - count : self._at], 2)

    def ue(self) -> int:
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)


def vui_colors(h264: bytes) -> tuple[int, int]:
    """video_full_range_flag and matrix_coefficients of a baseline SPS (ITU-T H.264, 7.3.2.1.1 and E.1.1)."""
    start = next(at for at in range(len(h264)) if h264[at : at + 3] == b"\x00\x00\x01" and h264[at + 3] & 31 == 7)
    bits = Bits(h264[start + 4 : start + 100])
    bits.u(24)  # profile, constraints, level
    bits.ue()
    bits.ue()
    assert bits.ue() == 2  # pic_order_cnt_type
    bits.ue()
    bits.u(1)
    bits.ue()
    bits.ue()
    assert bits.u(1) == 1  # frame_mbs_only_flag
    bits.u(1)
    if bits.u(1):  # frame_cropping_flag
        for _ in range(4):
            bits.ue()
    assert bits.u(1) == 1  # vui_parameters_present_flag
    if bits.u(1) and bits.u(8) == 255:  # aspect ratio
        bits.u(32)
    if bits.u(1):  # overscan
        bits.u(1)
    assert bits.u(1) == 1  # video_signal_type_present_flag
    bits.u(3)
    full_range = bits.u(1)
    assert bits.u(1) == 1  # colour_description_present_flag
    bits.u(16)
    return full_range, bits.u(8)


def test_h264_says_bt601_in_limited_range() -> None:
    data, _ = decoded(Codec.H264, nv12(ColorSpace.SMPTE170M, "red"))

    assert vui_colors(data) == (LIMITED_RANGE, MATRIX_SMPTE170M)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("color_space", list(ColorSpace))
@pytest.mark.parametrize("name", ["red", "green", "blue", "white", "black"])
def test_a_coded_colour_is_that_of_the_scene(codec: Codec, color_space: ColorSpace, name: str) -> None:
    _, frame = decoded(codec, nv12(color_space, name))
    planes: Pixels = frame.to_ndarray(format="yuv420p")

    made = [int(np.median(plane)) for plane in i420.planes(planes)]
    assert made == pytest.approx(BARS[ColorSpace.SMPTE170M][name], abs=4)

"""Frames and Image messages: the same pixels, stamp and frame_id on both sides."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame
from picam_webrtc.ros.topics.encodings import CV_BRIDGE, TO_BGR
from picam_webrtc.ros.topics.messages import camera_info_message, frame_from_message, image_message

STAMP_NS = 1_790_000_000_123_456_789


def frame(encoding: str, width: int = 6, height: int = 4) -> Frame:
    generator = np.random.default_rng(1)
    channels = PACKED_CHANNELS.get(encoding)
    shape = (height * 3 // 2, width) if channels is None else (height, width, channels)
    pixels = generator.integers(0, 255, shape, np.uint8)
    return Frame(pixels[:, :, 0] if channels == 1 else pixels, encoding, STAMP_NS, "optical")


@pytest.mark.parametrize("encoding", sorted(PACKED_CHANNELS) + sorted(SEMI_PLANAR))
def test_a_frame_survives_the_message(encoding: str) -> None:
    original = frame(encoding)

    result = frame_from_message(image_message(original))

    assert np.array_equal(result.pixels, original.pixels)
    assert (result.encoding, result.stamp_ns, result.frame_id) == (encoding, STAMP_NS, "optical")
    assert (result.width, result.height) == (6, 4)


def test_a_frame_with_padded_rows_is_packed_into_the_message() -> None:
    padded = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)[:, :6]

    message = image_message(Frame(padded, "bgr8", STAMP_NS, ""))

    assert message.step == 18
    assert np.array_equal(frame_from_message(message).pixels, padded)


def test_a_message_is_viewed_in_place() -> None:
    message = image_message(frame("bgr8"))

    assert np.shares_memory(frame_from_message(message).pixels, np.frombuffer(message.data, np.uint8))


def test_an_image_cut_short_is_refused() -> None:
    message = image_message(frame("bgr8"))
    message.data = message.data[:-1]

    with pytest.raises(ImageError, match="cut short"):
        frame_from_message(message)


def test_an_unknown_encoding_is_refused_naming_the_known_ones() -> None:
    message = image_message(frame("bgr8"))
    message.encoding = "bgr10"

    with pytest.raises(ImageError, match="bgr10"):
        frame_from_message(message)


@pytest.mark.parametrize("encoding", sorted(TO_BGR))
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 6])
def test_every_other_encoding_becomes_bgr8_whatever_its_byte_order_and_padding(
    encoding: str, big_endian: bool, padding: int
) -> None:
    number_type, channels, _ = TO_BGR[encoding]
    dtype = np.dtype(number_type)
    largest = 1.0 if dtype.kind == "f" else np.iinfo(dtype).max
    half = np.full((4, 6 * channels), largest, dtype)
    half[:, : 3 * channels] = 0
    rows = half.astype(dtype.newbyteorder(">" if big_endian else "<")).view(np.uint8).reshape(4, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    message = Image(
        height=4, width=6, encoding=encoding, is_bigendian=int(big_endian), step=padded.shape[1], data=padded.tobytes()
    )

    result = frame_from_message(message)

    assert result.encoding == "bgr8"
    assert result.pixels.shape == (4, 6, 3)
    assert result.pixels[:, 0].max() == 0  # columns 2 and 3 may blend where a Bayer pattern is interpolated
    assert result.pixels[:, 5].min() >= 254


def test_colours_keep_their_order() -> None:
    blue = np.zeros((2, 2, 3), np.uint16)
    blue[..., 2] = 0xFFFF
    message = Image(height=2, width=2, encoding="rgb16", step=12, data=blue.tobytes())

    assert frame_from_message(message).pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("width", "height", "size"), [(0, 0, 0), (1, 1, 1), (6, 4, 10)])
def test_an_empty_or_short_image_of_a_converted_encoding_is_refused(width: int, height: int, size: int) -> None:
    message = Image(width=width, height=height, encoding="mono16", step=2 * width, data=bytes(size))

    with pytest.raises(ImageError):
        frame_from_message(message)


def test_camera_info_of_an_uncalibrated_camera_has_the_images_header_and_size() -> None:
    info = camera_info_message(frame("bgr8"))

    assert (info.header.stamp.sec, info.header.stamp.nanosec) == (1_790_000_000, 123_456_789)
    assert (info.header.frame_id, info.width, info.height, info.k[0]) == ("optical", 6, 4, 0.0)


@pytest.mark.skipif(CV_BRIDGE is None, reason="cv_bridge comes with a ROS installation only")
def test_cv_bridge_is_used_where_it_is_installed() -> None:
    message = Image(height=1, width=1, encoding="mono16", step=2, data=b"\xff\xff")

    assert frame_from_message(message).pixels.tolist() == [[[255, 255, 255]]]


def test_a_picture_from_the_cameras_buffers_is_published_from_where_it_is() -> None:
    pixels = BufferPool((4, 8, 3)).take()
    message = image_message(Frame(pixels, "bgr8", 0, ""))

    assert np.shares_memory(np.frombuffer(message.data, np.uint8), pixels)


@pytest.mark.parametrize("part", [slice(0, 2), slice(None, None, -1)], ids=["part", "reversed"])
def test_a_part_of_such_a_picture_is_copied(part: slice) -> None:
    pixels = BufferPool(
        (4, 8, 3), lambda picture: np.copyto(picture, np.arange(96, dtype=np.uint8).reshape(4, 8, 3))
    ).take()[part]
    message = image_message(Frame(pixels, "bgr8", 0, ""))

    assert bytes(message.data) == pixels.tobytes()
    assert not np.shares_memory(np.frombuffer(message.data, np.uint8), pixels)

"""Frames and Image messages: the same pixels, stamp and frame_id on both sides."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import Image

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame
from picam_webrtc.ros.topics.encodings import CV_BRIDGE, TO_BGR
from picam_webrtc.ros.topics.messages import camera_info_message, frame_from_message, header, serialized_image
from picam_webrtc_test.ros.support import image_message

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


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "Käfer"])
@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "nv12", "yuv422_yuy2"])
def test_an_image_is_serialized_as_the_middleware_does_it_but_for_what_happens_to_be_in_gaps(
    encoding: str, frame_id: str
) -> None:
    shown = Frame(frame(encoding).pixels, encoding, STAMP_NS, frame_id)
    message = Image(
        header=header(STAMP_NS, frame_id),
        height=shown.height,
        width=shown.width,
        encoding=encoding,
        step=shown.pixels.strides[0],
        data=shown.pixels.tobytes(),
    )

    assert deserialize_message(serialized_image(shown), Image) == message
    assert len(serialized_image(shown)) == len(serialize_message(message))


def test_an_image_is_serialized_as_another_implementation_reads_it() -> None:
    original = frame("bgr8")

    message = get_typestore(Stores.ROS2_JAZZY).deserialize_cdr(serialized_image(original), "sensor_msgs/msg/Image")

    assert message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec == STAMP_NS
    assert (message.header.frame_id, message.encoding, message.step) == ("optical", "bgr8", 18)
    assert np.array_equal(message.data, original.pixels.reshape(-1))


@pytest.mark.parametrize("part", [slice(0, 2), slice(None, None, -1)], ids=["part", "reversed"])
def test_a_part_of_a_picture_is_packed_into_the_message(part: slice) -> None:
    pixels = np.arange(96, dtype=np.uint8).reshape(4, 8, 3)[part]

    assert bytes(image_message(Frame(pixels, "bgr8", 0, "")).data) == pixels.tobytes()

"""Every pixel format ends up under the honest ROS name, row padding cut off."""

import cv2
import numpy as np
import pytest

from picam_webrtc.camera.formats import ASKED_FORMATS, LAYOUTS, StreamLayout, layout_of
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import SUPPORTED_ENCODINGS, Pixels


def copied(layout: StreamLayout, buffer: Pixels) -> Pixels:
    pixels = np.zeros(layout.shape, np.uint8)
    layout.copy(buffer, pixels)
    return pixels


@pytest.mark.parametrize(
    ("format_name", "first_pixel", "encoding"),
    [
        ("RGB888", [1, 2, 3], "bgr8"),
        ("BGR888", [1, 2, 3], "rgb8"),
        ("XRGB8888", [1, 2, 3, 255], "bgra8"),
        ("XBGR8888", [1, 2, 3, 255], "rgba8"),
        ("YUYV", [1, 2], "yuv422_yuy2"),
        ("UYVY", [1, 2], "yuv422"),
    ],
)
@pytest.mark.parametrize("padding", [0, 13])
def test_packed_formats_are_copied_in_memory_order(
    format_name: str, first_pixel: list[int], encoding: str, padding: int
) -> None:
    stride = 6 * len(first_pixel) + padding
    buffer = np.zeros(stride * 4 + 50, np.uint8)
    buffer[stride : stride + len(first_pixel)] = first_pixel
    layout = StreamLayout(format_name, 6, 4, stride)
    pixels = copied(layout, buffer)

    assert layout.encoding == encoding
    assert pixels.shape == (4, 6, len(first_pixel))
    assert pixels[1, 0].tolist() == first_pixel


@pytest.mark.parametrize(("format_name", "encoding"), [("NV12", "nv12"), ("NV21", "nv21")])
def test_semi_planar_formats_are_copied_too(format_name: str, encoding: str) -> None:
    buffer = np.arange(8 * 6, dtype=np.uint8)
    layout = StreamLayout(format_name, 6, 4, 8)

    assert layout.encoding == encoding
    assert copied(layout, buffer).tolist() == buffer.reshape(6, 8)[:, :6].tolist()


def planar_buffer(y: Pixels, u: Pixels, v: Pixels, stride: int) -> Pixels:
    def padded(plane: Pixels, row: int) -> Pixels:
        return np.pad(plane, ((0, 0), (0, row - plane.shape[1])), constant_values=99).reshape(-1)

    return np.concatenate([padded(y, stride), padded(u, stride // 2), padded(v, stride // 2)])


@pytest.mark.parametrize("format_name", ["YUV420", "YVU420"])
@pytest.mark.parametrize("stride", [16, 32])
def test_planar_formats_become_nv12_of_the_same_colours(format_name: str, stride: int) -> None:
    rng = np.random.default_rng(3)
    y, u, v = (rng.integers(16, 236, shape, np.uint8) for shape in ((8, 16), (4, 8), (4, 8)))
    planes = (y, u, v) if format_name == "YUV420" else (y, v, u)
    layout = StreamLayout(format_name, 16, 8, stride)
    nv12 = copied(layout, planar_buffer(*planes, stride))
    i420 = np.concatenate([y.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(12, 16)

    assert (layout.encoding, nv12.shape) == ("nv12", (12, 16))
    assert np.array_equal(cv2.cvtColor(nv12, cv2.COLOR_YUV2BGR_NV12), cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420))


def test_everything_that_can_be_asked_for_can_be_published() -> None:
    assert set(ASKED_FORMATS.values()) <= set(LAYOUTS)
    assert {layout.encoding for layout in LAYOUTS.values()} <= SUPPORTED_ENCODINGS


def test_a_format_without_a_ros_name_is_refused_by_name() -> None:
    with pytest.raises(CameraError, match="delivers SRGGB10, which has no ROS encoding here"):
        _ = StreamLayout("SRGGB10", 6, 4, 12).encoding


@pytest.mark.parametrize("format_name", ["RGB888", "YUV420", "NV12"])
def test_a_buffer_too_small_for_its_picture_is_refused(format_name: str) -> None:
    with pytest.raises(CameraError, match=f"{format_name} buffer does not hold its picture"):
        copied(StreamLayout(format_name, 640, 480, 1920), np.zeros(1000, np.uint8))


def test_the_layout_is_read_from_the_actual_configuration() -> None:
    stream = {"format": "NV12", "size": (640, 480), "stride": 704, "framesize": 506880}

    assert layout_of(stream) == StreamLayout("NV12", 640, 480, 704)

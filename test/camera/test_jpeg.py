"""Every encoding compresses to a JPEG of the same picture, once."""

import sys
from runpy import run_path
from types import ModuleType

import cv2
import numpy as np
import pytest

from picam_webrtc.camera import jpeg
from picam_webrtc.camera.jpeg import JpegEncoder, compressed_format
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc_test.yuv import packed_422

WIDTH, HEIGHT = 64, 48
LIBRARIES = [pytest.param(None, id="OpenCV")]
if jpeg.SIMPLEJPEG is not None:
    LIBRARIES.append(pytest.param(jpeg.SIMPLEJPEG, id="simplejpeg"))


def picture_bgr() -> Pixels:
    """A smooth picture, whose colours survive half resolution."""
    x, y = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    return np.stack([x, y, 255 - x], axis=2).astype(np.uint8)


def nv12(bgr: Pixels, swap: bool) -> Pixels:
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    quarter = HEIGHT * WIDTH // 4
    chroma = i420[HEIGHT:].reshape(-1)
    u, v = chroma[:quarter], chroma[quarter:]
    pair = (v, u) if swap else (u, v)
    return np.vstack([i420[:HEIGHT], np.stack(pair, axis=1).reshape(HEIGHT // 2, WIDTH)])


def pixels_in(encoding: str) -> Pixels:
    bgr = picture_bgr()
    match encoding:
        case "bgr8":
            return bgr
        case "rgb8":
            return bgr[:, :, ::-1]
        case "bgra8":
            return np.dstack([bgr, np.full((HEIGHT, WIDTH), 255, np.uint8)])
        case "rgba8":
            return np.dstack([bgr[:, :, ::-1], np.full((HEIGHT, WIDTH), 255, np.uint8)])
        case "mono8":
            return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
        case "yuv422" | "yuv422_yuy2":
            return packed_422(bgr, encoding)
        case _:
            return nv12(bgr, swap=encoding == "nv21")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "encoding", ["bgr8", "rgb8", "bgra8", "rgba8", "mono8", "nv12", "nv21", "yuv422", "yuv422_yuy2"]
)
def test_the_picture_is_the_same_whatever_the_encoding_and_the_library(
    monkeypatch: pytest.MonkeyPatch, library: ModuleType | None, encoding: str
) -> None:
    monkeypatch.setattr(jpeg, "SIMPLEJPEG", library)
    data = JpegEncoder().encode(Frame(pixels_in(encoding), encoding, 0, ""), 95)
    decoded = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    expected = picture_bgr() if encoding != "mono8" else pixels_in("mono8")

    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 5


@pytest.mark.parametrize("library", LIBRARIES)
def test_rows_may_be_padded(monkeypatch: pytest.MonkeyPatch, library: ModuleType | None) -> None:
    monkeypatch.setattr(jpeg, "SIMPLEJPEG", library)
    padded = np.zeros((HEIGHT, WIDTH + 10, 3), np.uint8)
    padded[:, :WIDTH] = picture_bgr()
    view = padded[:, :WIDTH]
    view.flags.writeable = False

    assert JpegEncoder().encode(Frame(view, "bgr8", 0, ""), 80)[:2] == b"\xff\xd8"


def test_a_frame_is_compressed_once_for_all_who_want_it() -> None:
    encoder = JpegEncoder()
    frame = Frame(picture_bgr(), "bgr8", 0, "")
    data = encoder.encode(frame, 80)

    assert encoder.encode(frame, 80) is data
    assert encoder.encode(frame, 30) != data
    assert encoder.encode(Frame(picture_bgr(), "bgr8", 0, ""), 80) is not data


def test_a_better_quality_makes_a_larger_file() -> None:
    frame = Frame(np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), "bgr8", 0, "")

    assert len(JpegEncoder().encode(frame, 90)) > 2 * len(JpegEncoder().encode(frame, 20))


def test_the_format_field_reads_as_image_transport_writes_it() -> None:
    # CompressedImage.msg, and compressed_publisher.cpp and compressed_subscriber.cpp of image_transport_plugins.
    assert compressed_format("bgr8") == "bgr8; jpeg compressed bgr8"
    assert compressed_format("rgb8") == "rgb8; jpeg compressed bgr8"
    assert compressed_format("bgra8") == "bgra8; jpeg compressed bgr8"
    assert compressed_format("mono8") == "mono8; jpeg compressed "
    for encoding in ("nv12", "nv21", "yuv422", "yuv422_yuy2"):
        assert compressed_format(encoding) == "bgr8; jpeg compressed bgr8"


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_encoding_without_a_jpeg_is_refused(monkeypatch: pytest.MonkeyPatch, library: ModuleType | None) -> None:
    monkeypatch.setattr(jpeg, "SIMPLEJPEG", library)

    with pytest.raises(ImageError, match="'32FC1' cannot be compressed"):
        JpegEncoder().encode(Frame(np.zeros((8, 8), np.uint8), "32FC1", 0, ""), 80)


def test_a_simplejpeg_that_is_too_old_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", ModuleType("simplejpeg"))

    assert run_path(jpeg.__file__)["SIMPLEJPEG"] is None

"""A picture becomes the model's input: where it lies, its colours, its numbers."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import SEMI_PLANAR, SUPPORTED_ENCODINGS, Frame
from picam_webrtc.inference.preprocess import DRAWABLE, PADDING, Preprocessor, drawable, fit, pixel_table
from picam_webrtc.inference.tensors import Array, ImageInput, Signature, Tensor, image_input
from picam_webrtc_test.yuv import packed_422

RED = (200, 30, 10)
"""In RGB."""


def source(
    width: int = 8, height: int = 8, channels: int = 3, dtype: Any = np.uint8, planar: bool = False, **quantised: Any
) -> ImageInput:
    shape = (1, channels, height, width) if planar else (1, height, width, channels)
    return ImageInput(Tensor(0, "image", shape, np.dtype(dtype), **quantised), width, height, channels, planar)


def plain(width: int, height: int, encoding: str = "bgr8", rgb: tuple[int, int, int] = RED) -> Frame:
    """A frame all in one colour."""
    pixels = np.full((height, width, 3), rgb[::-1], np.uint8)
    conversions = {
        "rgb8": cv2.COLOR_BGR2RGB,
        "bgra8": cv2.COLOR_BGR2BGRA,
        "rgba8": cv2.COLOR_BGR2RGBA,
        "mono8": cv2.COLOR_BGR2GRAY,
    }
    if encoding in conversions:
        pixels = cv2.cvtColor(pixels, conversions[encoding])
    if encoding.startswith("yuv422"):
        pixels = packed_422(pixels, encoding)
    if encoding in SEMI_PLANAR:
        i420 = cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420)
        u, v = i420[height:].reshape(2, height // 2, width // 2)
        chroma = np.stack((u, v) if encoding == "nv12" else (v, u), axis=-1).reshape(height // 2, width)
        pixels = np.vstack((i420[:height], chroma))
    return Frame(pixels, encoding, 1, "")


def written(frame: Frame, target: ImageInput, table: Array | None = None, letterbox: bool = False) -> Array:
    tensor = np.zeros(target.tensor.shape, target.tensor.dtype)
    table = pixel_table(target.tensor, 0, 1, given=False) if table is None else table
    Preprocessor(target, table, letterbox).write(drawable(frame), tensor)
    return tensor


@pytest.mark.parametrize("encoding", sorted(SUPPORTED_ENCODINGS))
def test_every_encoding_reaches_the_model_as_rgb(encoding: str) -> None:
    tensor = written(plain(16, 12, encoding), source())

    wanted = (cv2.cvtColor(np.uint8([[RED]]), cv2.COLOR_RGB2GRAY)[0, 0],) * 3 if encoding == "mono8" else RED  # type: ignore[arg-type]
    assert np.abs(tensor[0].astype(int) - wanted).max() <= 4


@pytest.mark.parametrize("encoding", sorted(SUPPORTED_ENCODINGS))
def test_what_cannot_be_drawn_on_becomes_bgr8_and_keeps_its_header(encoding: str) -> None:
    frame = plain(16, 12, encoding)

    shown = drawable(frame)

    assert (shown is frame) == (encoding in DRAWABLE)
    assert (shown.width, shown.height, shown.stamp_ns, shown.frame_id) == (16, 12, 1, "")
    assert shown.encoding in DRAWABLE


def test_a_model_that_wants_planes_gets_planes() -> None:
    tensor = written(plain(16, 12), source(planar=True))

    assert tensor.shape == (1, 3, 8, 8)
    assert [plane.max() for plane in tensor[0]] == list(RED)


@pytest.mark.parametrize("planar", [False, True])
def test_a_model_of_one_channel_gets_grey(planar: bool) -> None:
    tensor = written(plain(16, 12, rgb=(90, 90, 90)), source(channels=1, planar=planar))

    assert (tensor == 90).all()


def test_padded_rows_of_a_view_are_not_seen() -> None:
    wide = np.full((12, 20, 3), 255, np.uint8)
    wide[:, :16] = plain(16, 12).pixels

    tensor = written(Frame(wide[:, :16], "bgr8", 1, ""), source())

    assert (tensor[0] == RED).all()


def test_a_letterbox_shows_the_whole_picture_between_grey_bars() -> None:
    tensor = written(plain(64, 32), source(), letterbox=True)[0]

    assert (tensor[:2] == PADDING).all()
    assert (tensor[2:6] == RED).all()
    assert (tensor[6:] == PADDING).all()


def test_bars_are_repainted_when_the_size_of_frames_changes() -> None:
    target = source()
    preprocessor = Preprocessor(target, pixel_table(target.tensor, 0, 1, given=False), letterbox=True)
    tensor = np.zeros(target.tensor.shape, np.uint8)
    preprocessor.write(plain(32, 64), tensor)
    preprocessor.write(plain(64, 32), tensor)

    assert (tensor[0, 0] == PADDING).all()
    assert (tensor[0, 4] == RED).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (32767, 2), (3, 2)])
@pytest.mark.parametrize("letterbox", [False, True])
def test_odd_sizes_are_pictures_too(size: tuple[int, int], letterbox: bool) -> None:
    tensor = written(plain(*size), source(), letterbox=letterbox)

    assert (tensor == RED).all(axis=-1).any()


@pytest.mark.parametrize(
    ("dtype", "quantisation", "wanted"),
    [
        (np.float32, {}, (0 - 127.5) / 127.5),
        (np.float16, {}, -1.0),
        (np.uint8, {"scale": 1 / 128, "zero_point": 128}, 0),
        (np.int8, {"scale": 1 / 255, "zero_point": -128}, -128),
        (np.int32, {}, 0),
        (np.int64, {}, 0),
    ],
)
def test_black_in_every_number_type(dtype: Any, quantisation: dict[str, Any], wanted: float) -> None:
    target = source(dtype=dtype, **quantisation)

    tensor = written(plain(8, 8, rgb=(0, 0, 0)), target, pixel_table(target.tensor, 127.5, 127.5, given=False))

    assert tensor.dtype == dtype
    assert (tensor == wanted).all()


def test_whole_numbers_take_pixels_as_they_are_unless_told_otherwise() -> None:
    unsigned, signed = source(scale=0.5).tensor, source(dtype=np.int8, scale=0.5, zero_point=-10).tensor

    assert pixel_table(unsigned, 127.5, 127.5, given=False).ravel().tolist() == list(range(256))
    assert pixel_table(signed, 127.5, 127.5, given=False).ravel().tolist() == list(range(-128, 128))
    assert pixel_table(signed, 0, 10, given=True)[0, [0, 10, 255]].tolist() == [-10, -8, 41]


def test_quantised_normalisation_is_clipped_to_what_the_type_holds() -> None:
    assert pixel_table(source(scale=0.001).tensor, 0, 1, given=True)[0, -1] == 255


lengths = st.integers(1, 5000)
inputs = st.integers(1, 1024)
fractions = st.floats(0, 1)


@given(lengths, lengths, inputs, inputs, st.booleans(), fractions, fractions)
def test_mapping_to_the_input_and_back_is_the_identity(
    width: int, height: int, input_width: int, input_height: int, letterbox: bool, x: float, y: float
) -> None:
    placement = fit((width, height), (input_width, input_height), letterbox).placement(input_width, input_height)

    inside = x * placement.width + placement.left, y * placement.height + placement.top
    back = placement.to_picture(*inside)

    assert back == pytest.approx((x, y), abs=1e-6)
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in inside)


@given(lengths, lengths, inputs, inputs)
def test_a_letterbox_keeps_the_shape_fills_one_side_and_is_centred(
    width: int, height: int, input_width: int, input_height: int
) -> None:
    placed = fit((width, height), (input_width, input_height), letterbox=True)

    assert placed.width == input_width or placed.height == input_height
    assert placed.left == (input_width - placed.width) // 2
    assert placed.top == (input_height - placed.height) // 2
    assume(min(placed.width, placed.height) > 1)
    scale = min(input_width / width, input_height / height)
    assert abs(placed.width - width * scale) <= 0.5 + 1e-9
    assert abs(placed.height - height * scale) <= 0.5 + 1e-9


BAD = {
    "unknown encoding": (np.zeros((4, 4, 3), np.uint8), "rgb565", "encoding 'rgb565' is not known here"),
    "16 bit": (np.zeros((4, 4), np.uint16), "mono16", "encoding 'mono16' is not known here"),
    "16 bit under a wrong name": (np.zeros((4, 4), np.uint16), "mono8", "uint16 numbers: must be uint8"),
    "float": (np.zeros((4, 4, 3), np.float32), "bgr8", "float32 numbers: must be uint8"),
    "empty": (np.zeros((0, 0, 3), np.uint8), "bgr8", "0x0 pixels is empty"),
    "no width": (np.zeros((4, 0), np.uint8), "mono8", "is empty"),
    "other channels": (np.zeros((4, 4, 4), np.uint8), "bgr8", r"must have 3 channel\(s\)"),
    "flat": (np.zeros((4, 4), np.uint8), "bgr8", r"must have 3 channel\(s\)"),
    "odd rows": (np.zeros((5, 4), np.uint8), "nv12", "cannot be converted"),
    "odd columns": (np.zeros((6, 5), np.uint8), "nv12", "cannot be converted"),
    "too wide": (np.zeros((1, 40000, 3), np.uint8), "bgr8", "32767 at most"),
}


@pytest.mark.parametrize(("pixels", "encoding", "complaint"), BAD.values(), ids=BAD)
def test_a_picture_that_cannot_be_used_is_refused_in_one_line(pixels: Array, encoding: str, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint) as refused:
        written(Frame(pixels, encoding, 1, ""), source())

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 8, 8, 4), (1, 8, 8), (1, 0, 8, 3)])
def test_other_inputs_are_no_pictures(shape: tuple[int, ...]) -> None:
    assert image_input(Signature((Tensor(0, "", shape, np.dtype(np.float32)),), ())) is None

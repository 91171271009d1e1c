"""Rectified pictures: what a distorting lens bent is where a lens without distortion would have it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from picam_webrtc.camera.calibration import Calibration, CalibrationError
from picam_webrtc.camera.rectify import Rectifier
from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc_test.camera.world import project, project_rectified

K = (150.0, 0.0, 160.0, 0.0, 150.0, 120.0, 0.0, 0.0, 1.0)
LENS = Calibration(
    width=320,
    height=240,
    distortion_model="plumb_bob",
    d=(-0.25, 0.05, 0.002, -0.001, 0.0),
    k=K,
    r=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    p=(140.0, 0.0, 158.0, 0.0, 0.0, 140.0, 122.0, 0.0, 0.0, 0.0, 1.0, 0.0),
)
FISHEYE = replace(LENS, distortion_model="equidistant", d=(-0.03, 0.01, 0.0, 0.0))
POINTS = ((0.0, 0.0, 1.0), (0.4, 0.2, 1.0), (-0.5, 0.35, 1.0), (0.3, -0.5, 1.0))


def dots(calibration: Calibration) -> Pixels:
    """bgr8: soft dots where the lens puts the points, drawn with the formulas of test_geometry."""
    rows, columns = np.mgrid[0 : calibration.height, 0 : calibration.width]
    picture = np.zeros((calibration.height, calibration.width))
    for point in POINTS:
        x, y = project(calibration, point)
        picture += 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def frame(pixels: Pixels, encoding: str) -> Frame:
    return Frame(pixels, encoding, 7, "cam")


def centre_near(luma: Pixels, x: float, y: float) -> tuple[float, float]:
    """Of the light in the 21 pixels about a place."""
    left, top = round(x) - 10, round(y) - 10
    window = luma[top : top + 21, left : left + 21].astype(float)
    window -= window.min()
    rows, columns = np.mgrid[top : top + 21, left : left + 21]
    return float((window * columns).sum() / window.sum()), float((window * rows).sum() / window.sum())


@pytest.mark.parametrize("calibration", [LENS, FISHEYE], ids=["plumb_bob", "equidistant"])
@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "rgba8", "nv12"])
def test_points_are_where_a_lens_without_distortion_has_them(calibration: Calibration, encoding: str) -> None:
    picture = dots(calibration)
    match encoding:
        case "mono8":
            pixels = picture[:, :, 0].copy()
        case "rgba8":
            pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)
        case "nv12":
            pixels = np.full((360, 320), 128, np.uint8)
            pixels[:240] = picture[:, :, 0]
        case _:
            pixels = picture
    before = pixels.copy()
    rectified = Rectifier()(frame(pixels, encoding), calibration)

    luma = rectified.pixels[:240] if encoding in ("mono8", "nv12") else rectified.pixels[:, :, 0]
    for point in POINTS:
        x, y = project_rectified(calibration, point)
        assert centre_near(luma, x, y) == pytest.approx((x, y), abs=0.3)
    assert (rectified.encoding, rectified.stamp_ns, rectified.frame_id, rectified.shape) == (
        encoding,
        7,
        "cam",
        pixels.shape,
    )
    assert np.array_equal(pixels, before)
    assert not rectified.pixels.flags.writeable


def test_chroma_moves_with_luma_and_is_neutral_where_the_lens_saw_nothing() -> None:
    far = replace(LENS, p=(60.0, *LENS.p[1:5], 60.0, *LENS.p[6:]))  # shows more than the lens saw
    pixels = np.full((360, 320), 200, np.uint8)
    pixels[240:, 0::2], pixels[240:, 1::2] = 90, 160
    rectified = Rectifier()(frame(pixels, "nv12"), far).pixels

    assert (rectified[0, 0], rectified[240, 0], rectified[240, 1]) == (16, 128, 128)
    assert (rectified[120, 160], rectified[300, 160], rectified[300, 161]) == (200, 90, 160)


def test_tables_are_made_once_for_a_calibration_and_anew_for_another() -> None:
    rectify, picture = Rectifier(), dots(LENS)
    first = rectify(frame(picture, "bgr8"), LENS).pixels
    other = rectify(frame(picture, "bgr8"), replace(LENS, d=(0.0,) * 5)).pixels
    again = rectify(frame(picture, "bgr8"), LENS).pixels

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("calibration", "complaint"),
    [
        (replace(LENS, distortion_model="magic"), "distortion_model 'magic' is not known here"),
        (replace(LENS, k=(0.0,) * 9), "no focal length"),
        (replace(LENS, p=(0.0,) * 12), "no focal length"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(calibration: Calibration, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        Rectifier()(frame(dots(LENS), "bgr8"), calibration)


def test_encodings_whose_pixels_share_colours_in_pairs_are_refused() -> None:
    with pytest.raises(ImageError, match="yuv422 pictures cannot be rectified"):
        Rectifier()(frame(np.zeros((240, 320, 2), np.uint8), "yuv422"), LENS)

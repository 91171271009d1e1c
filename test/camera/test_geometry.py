"""A point of the world falls on the same pixel of the scene in every sensor mode, crop, flip and orientation.

The expected pixel is made without anything of the package: the point is projected through the calibration of the whole
sensor, distortion included, and the pixel is then followed through what the camera does to a picture, step by step.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest

from picam_webrtc.camera.calibration import Calibration, CalibrationError, parse
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.turn import Turner
from picam_webrtc.frame import Frame
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import View
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock
from picam_webrtc_test.camera.libcamera_tables import IMX219, IMX477, IMX708, Sensor
from picam_webrtc_test.camera.world import POINTS, Crop, Point, followed, project, project_rectified, whole_sensor


def turned_point(point: Point, hflip: bool, vflip: bool, orientation: int) -> Point:
    """In the frame that goes with the picture: turned about the optical axis; two mirrors are half a turn."""
    x, y, z = point
    for _ in range((orientation + 180 * (hflip and vflip)) // 90 % 4):
        x, y = -y, x
    return x, y, z


def frames(sensor: Sensor, **settings: Any) -> Iterator[Frame]:
    """Main and lores frame of a camera with these settings, as they are published."""
    device = FakePicamera2(sensor=sensor, pisp=settings.pop("pisp", False))
    values = {"frame_rate": 5.0, **settings}
    source = Picamera2Source(CameraSettings.from_values(values), FakeLibrary(sensor.model, device=device), FakeClock())
    source.open()
    device.complete()
    frame_set = source.read(1)
    assert frame_set is not None
    turned = Turner()(frame_set)
    yield turned.frame
    if turned.lores is not None:
        yield turned.lores


MODES = [
    (IMX708, (1280, 720), "", (768, 432, 3072, 1728)),
    (IMX708, (640, 480), "", (768 + 384, 432, 2304, 1728)),
    (IMX708, (1280, 720), "full", (0, 0, 4608, 2592)),
    (IMX708, (640, 480), "full", (576, 0, 3456, 2592)),
    (IMX219, (1280, 720), "", (680, 692, 1920, 1080)),
    (IMX219, (640, 480), "full", (0, 1, 3280, 2460)),
    (IMX477, (1280, 720), "", (108, 440, 3840, 2160)),
    (IMX477, (4056, 3040), "", (0, 0, 4056, 3040)),
]
"""Sensor, picture, sensor_mode, and the crop of the sensor by hand: the mode's (imx708.c and so on), cut to the
picture's shape about its middle in whole pixels of the mode, as the ISP does."""
FLIPS = list(product((False, True), repeat=2))


@pytest.mark.parametrize(("sensor", "size", "mode", "crop"), MODES)
@pytest.mark.parametrize("zoom", ["", "2"])
@pytest.mark.parametrize(("hflip", "vflip"), FLIPS)
@pytest.mark.parametrize("orientation", [0, 90, 180, 270])
def test_a_point_of_the_world_falls_where_the_camera_puts_it(
    sensor: Sensor, size: tuple[int, int], mode: str, crop: Crop, zoom: str, hflip: bool, vflip: bool, orientation: int
) -> None:
    calibration = whole_sensor(sensor)
    settings = {"width": size[0], "height": size[1], "sensor_mode": mode, "crop": zoom}
    frame = next(frames(sensor, hflip=hflip, vflip=vflip, orientation=orientation, **settings))
    assert frame.view is not None
    shown = frame.view.crop
    if not zoom:
        assert all(abs(mine - theirs) <= 4 for mine, theirs in zip(shown, crop, strict=True)), shown
    seen = calibration.seen_in(frame.view, frame.width, frame.height)

    assert (seen.width, seen.height) == (size if orientation % 180 == 0 else size[::-1])
    for point in POINTS:
        expected = followed(project(calibration, point), shown, size, hflip, vflip, orientation)
        here = turned_point(point, hflip, vflip, orientation)
        assert project(seen, here) == pytest.approx(expected, abs=1e-6)
        rectified = followed(project_rectified(calibration, point), shown, size, hflip, vflip, orientation)
        assert project_rectified(seen, here) == pytest.approx(rectified, abs=1e-6)
    mirrored = hflip != vflip
    assert (seen.k[0] * seen.k[4] < 0) == mirrored
    assert mirrored or (seen.k[0] > 0 and seen.p[0] > 0)
    assert (seen.k[1], seen.k[3], seen.p[1], seen.p[4]) == pytest.approx((0, 0, 0, 0), abs=1e-9)


@pytest.mark.parametrize(("before", "after"), list(product([(False, False), (True, True)], FLIPS)))
@pytest.mark.parametrize(("turned_before", "turned_after"), [(0, 90), (90, 0), (270, 180), (90, 90)])
def test_a_calibration_of_one_picture_serves_every_other(
    before: tuple[bool, bool], after: tuple[bool, bool], turned_before: int, turned_after: int
) -> None:
    """From the whole sensor to one view, stored, and from there to another: as from the whole sensor at once.

    One made in a mirrored picture is the next test's.
    """
    calibration = whole_sensor(IMX708)
    first = View((4608, 2592), (768, 432, 3072, 1728), (768, 432, 3072, 1728), *before, turned_before)
    second = View((4608, 2592), (1500, 700, 1280, 720), (0, 0, 4608, 2592), *after, turned_after)
    stored = parse(calibration.seen_in(first, 1280, 720).to_yaml("front"))

    assert stored.view == first
    through, at_once = stored.seen_in(second, 720, 1280), calibration.seen_in(second, 720, 1280)
    for field in ("k", "p", "r", "d"):
        assert getattr(through, field) == pytest.approx(getattr(at_once, field), abs=1e-6)


def test_a_calibration_made_in_a_mirrored_picture_is_kept_for_it_and_undone_without_the_mirror() -> None:
    whole = (0, 0, 4608, 2592)
    mirrored = View((4608, 2592), whole, whole, hflip=True)
    made = replace(whole_sensor(IMX708), view=mirrored)  # with positive focal lengths, as calibrating gives

    assert made.seen_in(mirrored, 4608, 2592) == made
    plain = made.seen_in(View((4608, 2592), whole, whole), 4608, 2592)
    assert plain.k[0] > 0
    for x, y, z in POINTS:
        across, down = project(made, (x, y, z))  # a point that the mirror shows at x is really at -x
        assert project(plain, (-x, y, z)) == pytest.approx((4607 - across, down), abs=1e-6)


def test_the_same_mode_and_crop_scale_k_by_the_picture_alone() -> None:
    """By hand: 3072 px of the sensor in 1280 px; (500 + 0.5) * 2.4 - 0.5 = 1200.7."""
    crop = (768, 432, 3072, 1728)
    view = View((4608, 2592), crop, crop)
    k = (1000.0, 0.0, 500.0, 0.0, 1000.0, 300.0, 0.0, 0.0, 1.0)
    small = Calibration(1280, 720, "plumb_bob", (), k, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (0.0,) * 12, view)

    large = small.seen_in(view, 3072, 1728)
    assert large.k == pytest.approx((2400.0, 0.0, 1200.7, 0.0, 2400.0, 720.7, 0.0, 0.0, 1.0))
    whole = small.seen_in(View((4608, 2592), (0, 0, 4608, 2592), crop), 4608, 2592)
    assert whole.k == pytest.approx((2400.0, 0.0, 1968.7, 0.0, 2400.0, 1152.7, 0.0, 0.0, 1.0))


def test_a_wider_view_at_a_larger_size_keeps_the_focal_length_that_the_sensor_has() -> None:
    """Camera Module 3 calibrated at 1280x720 (3072 sensor px) and run at 1920x1080 (4608): 1.5 times as much of the
    scene in 1.5 times as many pixels is the same number of pixels for a degree."""
    calibration = whole_sensor(IMX708)
    narrow, wide = (next(frames(IMX708, width=w, height=w * 9 // 16)) for w in (1280, 1920))
    assert narrow.view is not None
    assert wide.view is not None
    at_720 = calibration.seen_in(narrow.view, 1280, 720)
    at_1080 = at_720.seen_in(wide.view, 1920, 1080)

    assert wide.view.crop == (0, 0, 4608, 2592)
    assert at_1080.k[0] == pytest.approx(at_720.k[0])


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_distortion_is_the_same_in_every_mode_and_crop(model: str) -> None:
    calibration = whole_sensor(IMX708, model)
    frame = next(frames(IMX708, width=1280, height=720, crop="3"))
    assert frame.view is not None

    assert calibration.seen_in(frame.view, 1280, 720).d == calibration.d
    if model == "equidistant":  # without any direction
        turned = frame.view.turned(90)
        assert calibration.seen_in(turned, 720, 1280).d == calibration.d
        expected = followed(project(calibration, POINTS[1]), frame.view.crop, (1280, 720), False, False, 90)
        here = turned_point(POINTS[1], False, False, 90)
        assert project(calibration.seen_in(turned, 720, 1280), here) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pisp", [False, True], ids=["vc4", "pisp"])
def test_the_small_stream_shows_what_the_camera_says_it_does(pisp: bool) -> None:
    """A Raspberry Pi 5 tells each stream's crop; those before have one for both."""
    size = {"width": 1280, "height": 720, "lores_width": 640, "lores_height": 480}
    main, lores = frames(IMX708, pisp=pisp, **size)
    assert main.view is not None

    assert lores.view == main.view
    assert main.view.crop == (768, 432, 3072, 1728)


def test_a_digital_zoom_moves_k_with_every_frame() -> None:
    device = FakePicamera2()
    settings = CameraSettings.from_values({"hflip": True})
    source = Picamera2Source(settings, FakeLibrary("imx708", device=device), FakeClock())
    controls = source.probe()
    source.open()
    source.apply(controls.plan({"ScalerCrop": [768, 432, 1536, 864]}))
    for _ in range(2):
        device.complete()
        frame_set = source.read(1)
    assert frame_set is not None
    assert frame_set.frame.view is not None

    # libcamera counts in the mirrored picture: its left half is the right half of what the sensor sees.
    assert frame_set.frame.view.crop == (768 + 1536, 432, 1536, 864)
    assert frame_set.frame.view.whole == (768, 432, 3072, 1728)


def test_another_sensor_and_an_unknown_geometry_are_refused() -> None:
    view = View((3280, 2464), (0, 0, 3280, 2464), (0, 0, 3280, 2464))

    with pytest.raises(CalibrationError, match="a sensor of 4608x2592 pixels, and this one has 3280x2464"):
        whole_sensor(IMX708).seen_in(view, 640, 480)
    with pytest.raises(CalibrationError, match=r"crop that are not known: calibrate at 640x480, at .* 3280x2464"):
        replace(whole_sensor(IMX219), view=None).seen_in(view, 640, 480)


@pytest.mark.parametrize(
    "settings",
    [{"orientation": 90}, {"orientation": 180}, {"orientation": 270}, {"hflip": True, "orientation": 90}],
)
@pytest.mark.parametrize("format_name", ["bgr", "bgra", "nv12", "yuv420"])
def test_pixels_go_where_the_view_says(settings: dict[str, Any], format_name: str) -> None:
    """One bright pixel of the sensor, drawn where the camera would deliver it, is found where the view puts it."""
    device = FakePicamera2()
    library = FakeLibrary("imx708", device=device)
    values = {"width": 64, "height": 64, "format": format_name, **settings}
    source = Picamera2Source(CameraSettings.from_values(values), library, FakeClock())
    source.open()
    buffers = device.blank_buffers()
    stride, channels = device.configuration["main"]["stride"], {"bgr": 3, "bgra": 4}.get(format_name, 1)
    flips = device.configuration["transform"]
    across, down = 10, 7
    buffers["main"][down * stride + across * channels] = 255
    device.complete(buffers)
    frame_set = source.read(1)
    assert frame_set is not None
    frame = Turner()(frame_set).frame
    assert frame.view is not None

    row, column, *_ = (int(found[0]) for found in np.nonzero(frame.pixels))
    x, y, width, height = frame.view.crop
    delivered = (
        64 - across - 0.5 if flips["hflip"] else across + 0.5,
        64 - down - 0.5 if flips["vflip"] else down + 0.5,
    )
    sensor = (x + delivered[0] / 64 * width - 0.5, y + delivered[1] / 64 * height - 0.5, 1.0)
    expected = frame.view.pixels((frame.width, frame.height)) @ sensor
    assert (column, row) == pytest.approx(expected[:2], abs=1e-6)
    assert frame.encoding == {"bgr": "bgr8", "bgra": "bgra8"}.get(format_name, "nv12")


def test_half_a_turn_is_the_sensors_own_and_quarters_are_not() -> None:
    def asked(**settings: Any) -> tuple[Any, int]:
        device = FakePicamera2()
        source = Picamera2Source(
            CameraSettings.from_values(settings), FakeLibrary("imx708", device=device), FakeClock()
        )
        source.open()
        device.complete()
        frame_set = source.read(1)
        assert frame_set is not None
        return device.configuration["transform"], frame_set.turn

    assert asked(orientation=180) == ({"hflip": True, "vflip": True}, 0)
    assert asked(orientation=180, hflip=True) == ({"hflip": False, "vflip": True}, 0)
    assert asked(orientation=90, vflip=True) == ({"hflip": False, "vflip": True}, 90)


def test_what_opencv_makes_of_the_numbers_is_the_same_point() -> None:
    """cv2.projectPoints as another implementation, in a mirrored and turned picture."""
    calibration = whole_sensor(IMX708)
    frame = next(frames(IMX708, width=1280, height=720, hflip=True, orientation=90))
    assert frame.view is not None
    seen = calibration.seen_in(frame.view, 720, 1280)
    here = np.array([turned_point(point, True, False, 90) for point in POINTS])
    found, _ = cv2.projectPoints(here, np.zeros(3), np.zeros(3), np.reshape(seen.k, (3, 3)), np.array(seen.d))

    expected = [
        followed(project(calibration, point), frame.view.crop, (1280, 720), True, False, 90) for point in POINTS
    ]
    assert found.reshape(-1, 2) == pytest.approx(np.array(expected), abs=1e-6)

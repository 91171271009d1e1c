"""What a network on the sensor sees falls on the same pixel of the picture in every mode, crop, flip and orientation.

Where a point is in the network's input, and where in the picture, is made by hand from the sensor's pixels: the sensor
is read, mirrored where it is read backwards, cut to the region of interest, and squeezed into the input.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.turn import Turner
from picam_webrtc.frame import Frame
from picam_webrtc.inference.candidates import Candidates
from picam_webrtc.inference.sensor_placement import SensorPlacement
from picam_webrtc.sensor_outputs import SensorOutputs
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import View
from picam_webrtc_test.camera.fake_imx500 import write_network
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock
from picam_webrtc_test.camera.libcamera_tables import IMX500
from picam_webrtc_test.camera.world import Crop, Pixel, followed

WHOLE: Crop = (0, 0, 4056, 3040)
SQUARE: Crop = (508, 0, 3040, 3040)
POINTS: tuple[Pixel, ...] = ((2027.5, 1519.5), (1700.0, 1300.0), (2400.25, 1650.75), (1600.0, 1800.0))
"""Of the sensor's array [px], in what every crop of this test shows."""
FLIPS = list(product((False, True), repeat=2))


def in_network(pixel: Pixel, region: Crop, hflip: bool, vflip: bool, orientation: int) -> Pixel:
    """In fractions of the input. Half a turn is two mirrors more, made by the sensor; quarters are made afterwards."""
    across = (pixel[0] + 0.5 - region[0]) / region[2]
    down = (pixel[1] + 0.5 - region[1]) / region[3]
    half = orientation == 180
    return (1 - across if hflip != half else across), (1 - down if vflip != half else down)


@pytest.fixture
def exposure(tmp_path: Path) -> Any:
    def take(square: bool, **settings: Any) -> tuple[Frame, SensorOutputs]:
        network = write_network(tmp_path / "pets.rpk", [np.ones(3)], {"preserve_aspect_ratio": square or None})
        device = FakePicamera2(sensor=IMX500)
        given = {"network": network, "frame_rate": 5.0, **settings}
        source = Picamera2Source(CameraSettings.from_values(given), FakeLibrary("imx500", device=device), FakeClock())
        source.open()
        device.complete()
        frame_set = source.read(1)
        assert frame_set is not None
        assert frame_set.sensor_outputs is not None
        return Turner()(frame_set).frame, frame_set.sensor_outputs

    return take


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
@pytest.mark.parametrize("crop", ["", "2.5", "1400,1000,1500,1000"])
@pytest.mark.parametrize("square", [False, True], ids=["whole", "square"])
@pytest.mark.parametrize(("hflip", "vflip"), FLIPS)
@pytest.mark.parametrize("orientation", [0, 90, 180, 270])
def test_a_point_of_the_sensor_is_where_the_picture_shows_it(
    exposure: Any, size: tuple[int, int], crop: str, square: bool, hflip: bool, vflip: bool, orientation: int
) -> None:
    settings = {"width": size[0], "height": size[1], "crop": crop}
    frame, outputs = exposure(square, hflip=hflip, vflip=vflip, orientation=orientation, **settings)
    placement = SensorPlacement.between(outputs.seen, frame.view, (frame.width, frame.height))
    for point in POINTS:
        seen = in_network(point, SQUARE if square else WHOLE, hflip, vflip, orientation)
        across, down = placement.to_picture(*seen)
        expected = followed(point, frame.view.crop, size, hflip, vflip, orientation)

        assert across * frame.width - 0.5 == pytest.approx(expected[0], abs=1e-6)
        assert down * frame.height - 0.5 == pytest.approx(expected[1], abs=1e-6)


SIZES = (320, 240)
TURNS = st.sampled_from([0, 90, 180, 270])
PLACES, LENGTHS = st.integers(0, 25), st.integers(5, 25)


@given(
    st.booleans(), st.booleans(), TURNS, st.integers(0, 25), st.integers(0, 25), st.integers(5, 25), st.integers(5, 25)
)
def test_a_map_of_classes_is_turned_and_cut_as_the_boxes_are(
    hflip: bool, vflip: bool, orientation: int, left: int, top: int, width: int, height: int
) -> None:
    """Of a picture that shows the middle half of what the network sees."""
    seen = View((4000, 4000), (0, 0, 4000, 4000), (0, 0, 4000, 4000))
    shown = View((4000, 4000), (1000, 1000, 2000, 2000), (0, 0, 4000, 4000), hflip, vflip, orientation)
    placement = SensorPlacement.between(seen, shown, SIZES)
    class_map = np.zeros((50, 50), np.int32)
    class_map[top : top + height, left : left + width] = 3
    part = placement.picture_part(class_map)
    (across, down), (other_across, other_down) = (
        placement.to_picture(left / 50, top / 50),
        placement.to_picture((left + width) / 50, (top + height) / 50),
    )
    rows = np.arange(50) + 0.5
    inside_x = (rows / 50 > min(across, other_across) + 1e-9) & (rows / 50 < max(across, other_across) - 1e-9)
    inside_y = (rows / 50 > min(down, other_down) + 1e-9) & (rows / 50 < max(down, other_down) - 1e-9)

    assert part.shape == (50, 50)
    assert ((part == 3) == np.outer(inside_y, inside_x)).mean() > 0.99  # edges may fall on the middle of a place


def test_a_quarter_turn_turns_the_shape_of_a_map_too() -> None:
    view = View((4000, 3000), (0, 0, 4000, 3000), (0, 0, 4000, 3000))
    class_map = np.zeros((3, 4), np.int32)
    class_map[0, 0] = 1  # top left goes to the top right
    placement = SensorPlacement.between(view, view.turned(90), (240, 320))

    assert placement.picture_part(class_map).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_what_the_network_does_not_see_has_no_class() -> None:
    whole = (0, 0, 4000, 3000)
    seen = View((4000, 3000), (0, 0, 2000, 3000), (0, 0, 2000, 3000))
    placement = SensorPlacement.between(seen, View((4000, 3000), whole, whole), (400, 300))

    assert placement.picture_part(np.ones((2, 4), np.int32)).tolist() == [[1, 1, 0, 0]] * 2


def test_what_the_picture_does_not_show_is_left_out() -> None:
    whole = (0, 0, 4000, 3000)
    seen = View((4000, 3000), whole, whole)
    placement = SensorPlacement.between(seen, View((4000, 3000), (1000, 1000, 1000, 1000), whole), (64, 64))
    boxes = np.array([[0, 0, 0.2, 0.2], [0.3, 0.4, 0.4, 0.5], [0.2, 0.3, 0.9, 0.9], [0.6, 0.4, 0.7, 0.5]])

    assert placement.visible(Candidates(boxes, np.ones(4), np.arange(4))).class_ids.tolist() == [1, 2]

"""What is found is drawn into a copy, in the colours of the picture's own encoding."""

from dataclasses import replace

import numpy as np
import pytest

from picam_webrtc.detection import BoundingBox, Detection, Detections, Keypoint
from picam_webrtc.frame import Frame
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.overlay import class_color, draw

BOX = Detection(3, "coffee cup", 0.87, BoundingBox(40, 60, 200, 160))


def frame(encoding: str = "bgr8") -> Frame:
    shapes = {"bgr8": (240, 320, 3), "rgb8": (240, 320, 3), "rgba8": (240, 320, 4), "nv12": (360, 320)}
    return Frame(np.full(shapes[encoding], 128, np.uint8), encoding, 5, "a_frame")


def findings(*items: Detection) -> Findings:
    return Findings(Detections(5, "a_frame", 320, 240, items))


def test_a_box_is_drawn_on_its_edge_and_the_given_picture_stays() -> None:
    given = frame()

    shown = draw(given, findings(BOX))

    assert (given.pixels == 128).all()
    assert tuple(shown.pixels[160 - 1, 120]) == class_color(3, red_first=False)[:3]
    assert tuple(shown.pixels[120, 120]) == (128, 128, 128)
    assert (shown.stamp_ns, shown.frame_id, shown.encoding) == (5, "a_frame", "bgr8")


def test_colours_are_the_same_to_the_eye_in_every_channel_order() -> None:
    blue, green, red, _ = class_color(3, red_first=False)

    assert tuple(draw(frame("rgb8"), findings(BOX)).pixels[159, 120]) == (red, green, blue)
    assert tuple(draw(frame("rgba8"), findings(BOX)).pixels[159, 120]) == (red, green, blue, 255)


def test_classes_have_colours_of_their_own() -> None:
    assert len({class_color(number, red_first=False) for number in range(30)}) == 30


def test_nothing_found_costs_no_copy() -> None:
    given = frame()

    assert draw(given, findings()) is given


@pytest.mark.parametrize("items", [(), (BOX,)])
def test_a_picture_that_cannot_hold_colours_is_bgr8_whatever_is_found(items: tuple[Detection, ...]) -> None:
    assert draw(frame("nv12"), findings(*items)).encoding == "bgr8"


@pytest.mark.parametrize(
    "box", [BoundingBox(0, 0, 320, 240), BoundingBox(319, 239, 320, 240), BoundingBox(0, 0, 0.2, 0.2)]
)
@pytest.mark.parametrize("label", ["", "x" * 300, "crème brûlée", "咖啡", "line\nbreak"])
def test_any_label_and_any_place_can_be_drawn(box: BoundingBox, label: str) -> None:
    assert draw(frame(), findings(replace(BOX, bbox=box, label=label))).pixels.any()


def test_key_points_are_drawn_when_they_are_seen() -> None:
    seen, unseen = Keypoint("nose", 100, 100, 0.9), Keypoint("ear", 150, 100, 0.05)

    pixels = draw(frame(), findings(replace(BOX, keypoints=(seen, unseen)))).pixels

    assert tuple(pixels[100, 100]) == class_color(3, red_first=False)[:3]
    assert tuple(pixels[100, 150]) == (128, 128, 128)


def test_labels_of_whole_pictures_stand_below_each_other() -> None:
    whole = replace(BOX, bbox=BoundingBox(0, 0, 320, 240))
    one = draw(frame(), findings(whole)).pixels
    two = draw(frame(), findings(whole, replace(whole, class_id=4))).pixels

    assert (one[17:24, 10:40] == 128).all()
    assert not (two[17:24, 10:40] == 128).all()


@pytest.mark.parametrize("encoding", ["bgr8", "rgba8"])
def test_a_class_map_tints_its_region_in_the_whole_picture(encoding: str) -> None:
    class_map = np.zeros((4, 4), np.int32)
    class_map[1:3, 1:3] = 3
    found = Findings(findings(BOX).detections, class_map)

    pixels = draw(frame(encoding), found).pixels

    assert (pixels[10, 10] == 128).all()
    assert not (pixels[120, 190, :3] == 128).all()

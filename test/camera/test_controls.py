"""Every control is found with its type and range, and checked before the camera sees it."""

import pytest

from picam_webrtc.camera.controls import Control, Kind, controls_of
from picam_webrtc.errors import SettingError
from picam_webrtc_test.camera.fake_picamera2 import FakeControlId
from picam_webrtc_test.camera.libcamera_tables import IMX708_CONTROLS

FOUND = {
    control.name: control
    for control in controls_of(IMX708_CONTROLS, {name: FakeControlId(name) for name in IMX708_CONTROLS})
}


@pytest.mark.parametrize(
    ("name", "kind", "length", "initial"),
    [
        ("AeEnable", Kind.BOOL, 0, True),
        ("AwbEnable", Kind.BOOL, 0, None),
        ("AfTrigger", Kind.INT, 0, None),
        ("AeFlickerPeriod", Kind.INT, 0, None),
        ("AfMode", Kind.INT, 0, 0),
        ("ExposureTime", Kind.INT, 0, 0),
        ("AnalogueGain", Kind.FLOAT, 0, 0.0),
        ("Contrast", Kind.FLOAT, 0, 1.0),
        ("ColourTemperature", Kind.INT, 0, None),
        ("ColourGains", Kind.FLOATS, 2, ()),
        ("ColourCorrectionMatrix", Kind.FLOATS, 9, ()),
        ("FrameDurationLimits", Kind.INTS, 2, ()),
        ("ScalerCrop", Kind.RECTANGLES, 4, ()),
        ("AfWindows", Kind.RECTANGLES, 0, ()),
    ],
)
def test_kind_length_and_initial_value_follow_from_what_the_camera_reports(
    name: str, kind: Kind, length: int, initial: object
) -> None:
    control = FOUND[name]

    assert (control.kind, control.length, control.initial) == (kind, length, initial)
    assert control.check(control.initial) == control.initial
    assert type(control.initial) is type(initial)


def test_controls_that_picamera2_sets_itself_or_that_have_no_type_are_left_out() -> None:
    assert "ExposureTimeMode" not in FOUND
    assert "AnalogueGainMode" not in FOUND
    assert len(FOUND) == len(IMX708_CONTROLS) - 2
    assert controls_of({"Novelty": (None, None, None)}, {}) == ()


def test_descriptions_say_what_a_control_means_and_what_its_numbers_do() -> None:
    assert "0: AfModeManual, 1: AfModeAuto, 2: AfModeContinuous" in FOUND["AfMode"].description
    assert "4: NoiseReductionModeZSL" in FOUND["NoiseReductionMode"].description
    assert FOUND["ExposureTime"].description == "exposure time [us]; 0 leaves it to auto-exposure"
    assert FOUND["ColourGains"].description.endswith("empty leaves it to the camera")
    assert Control("Novelty", Kind.INT, default=1).description == "libcamera's control Novelty"
    assert FOUND["ColourTemperature"].description.endswith("not set leaves it to the camera")


def test_older_bindings_that_tell_no_array_size_are_helped_out() -> None:
    found = {control.name: control for control in controls_of(IMX708_CONTROLS, {})}

    assert (found["ColourGains"].kind, found["ColourGains"].length) == (Kind.FLOATS, 2)
    assert found["AfMode"].choices == {}


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("AeEnable", False, False),
        ("ExposureTime", 9, 9),
        ("ExposureTime", 150000, 150000),
        ("ColourCorrectionMatrix", [1.5, -0.5] + [0.0] * 7, (1.5, -0.5) + (0.0,) * 7),
        ("ColourTemperature", None, None),
        ("ExposureTime", 0, 0),
        ("AnalogueGain", 2, 2.0),
        ("AnalogueGain", 0, 0.0),
        ("Brightness", -1, -1.0),
        ("ColourGains", [1, 2.5], (1.0, 2.5)),
        ("ColourGains", [], ()),
        ("FrameDurationLimits", (20000, 40000), (20000, 40000)),
        ("ScalerCrop", [768, 432, 1536, 864], (768, 432, 1536, 864)),
        ("AfWindows", [0, 0, 10, 10, 5, 5, 10, 10], (0, 0, 10, 10, 5, 5, 10, 10)),
    ],
)
def test_a_right_value_is_taken_in_the_controls_type(name: str, value: object, taken: object) -> None:
    checked = FOUND[name].check(value)

    assert checked == taken
    assert type(checked) is type(taken)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("AeEnable", 1, "must be of type bool"),
        ("ExposureTime", 20.5, "must be of type int"),
        ("ExposureTime", True, "must be of type int"),
        ("ExposureTime", 8, r"must be from 9 to 77208384 \(or 0: automatic\)"),
        ("ExposureTime", 10**30, "finite"),
        ("AnalogueGain", "high", "must be of type float"),
        ("Contrast", float("nan"), "finite"),
        ("Contrast", 33.0, "must be from 0 to 32"),
        ("NoiseReductionMode", 5, "must be from 0 to 4"),
        ("ColourGains", 1.5, "must be a list of floats"),
        ("ColourGains", "ab", "must be a list of floats"),
        ("ColourGains", [1.5], "must have 2 numbers, not 1"),
        ("ColourGains", [1.5, 99.0], "must be from 0 to 32"),
        ("ColourGains", [1.5, None], "must be of type list of floats"),
        ("FrameDurationLimits", [40000, 20000], "the shortest duration comes first"),
        ("ScalerCrop", [0, 0, 640, 480], "each rectangle must lie within 768, 432, 3072, 1728 and at least 64 x 64"),
        ("ScalerCrop", [768, 432, 10, 10], "at least 64 x 64"),
        ("ScalerCrop", [768, 432, 640, 480] * 2, "must have 4 numbers, not 8"),
        ("AfWindows", [1, 2, 3], "must have 4 for each rectangle numbers, not 3"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(name: str, value: object, remedy: str) -> None:
    with pytest.raises(SettingError, match=remedy) as refused:
        FOUND[name].check(value)

    assert str(refused.value).startswith(f"parameter '{name}' = ")


def test_rectangles_are_handed_over_as_picamera2_takes_them() -> None:
    assert FOUND["ScalerCrop"].for_camera((1, 2, 3, 4)) == (1, 2, 3, 4)
    assert FOUND["AfWindows"].for_camera((1, 2, 3, 4, 5, 6, 7, 8)) == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert FOUND["ColourGains"].for_camera((1.0, 2.0)) == (1.0, 2.0)

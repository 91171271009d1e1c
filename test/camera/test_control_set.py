"""Controls that depend on each other: what follows from a change, for the camera, the parameters and the user."""

from typing import Any

import pytest

from picam_webrtc.camera.control_set import ControlSet
from picam_webrtc.camera.controls import controls_of
from picam_webrtc.errors import SettingError
from picam_webrtc_test.camera.fake_picamera2 import FakeControlId
from picam_webrtc_test.camera.libcamera_tables import IMX708_CONTROLS


@pytest.fixture
def controls() -> ControlSet:
    limits = {**IMX708_CONTROLS, "AwbEnable": (False, True, True)}
    return ControlSet(controls_of(limits, {name: FakeControlId(name) for name in limits}), frame_duration_us=33333)


def change(controls: ControlSet, **changes: Any) -> tuple[dict[str, Any], list[str]]:
    """What the camera is told and what the user is told."""
    plan = controls.plan(changes)
    return controls.commit(plan), plan.notes


def test_a_plain_change_is_sent_and_remembered(controls: ControlSet) -> None:
    assert change(controls, Contrast=2, Brightness=0.5) == ({"Contrast": 2.0, "Brightness": 0.5}, [])
    assert controls.values["Contrast"] == 2.0


def test_whatever_is_set_is_sent_for_only_the_camera_knows_what_it_does(controls: ControlSet) -> None:
    change(controls, Contrast=2.0)

    assert change(controls, Contrast=2.0, AeEnable=True) == ({"Contrast": 2.0, "AeEnable": True}, [])
    assert change(controls, NoiseReductionMode=0, AwbEnable=False)[0] == {"NoiseReductionMode": 0, "AwbEnable": False}


@pytest.mark.parametrize(("name", "value"), [("AfTrigger", 0), ("AfPause", 0), ("AfTrigger", 1)])
def test_a_trigger_is_sent_each_time_and_not_when_the_camera_is_reopened(
    controls: ControlSet, name: str, value: int
) -> None:
    assert controls.values[name] is None
    for _ in range(2):
        assert change(controls, **{name: value})[0] == {name: value}

    assert controls.all_for_camera() == {}


def test_what_the_configuration_sets_by_itself_is_known(controls: ControlSet) -> None:
    preset = ControlSet(list(controls.controls.values()), preset={"NoiseReductionMode": 1, "Unheard": 1})

    assert preset.values["NoiseReductionMode"] == 1
    assert preset.all_for_camera() == {}


def test_one_wrong_value_stops_the_whole_change(controls: ControlSet) -> None:
    with pytest.raises(SettingError, match="'Contrast' = 99"):
        controls.plan({"Brightness": 0.5, "Contrast": 99})

    assert controls.values["Brightness"] == 0.0


def test_a_control_that_the_camera_lacks_is_refused_with_those_it_has(controls: ControlSet) -> None:
    with pytest.raises(SettingError, match="has no such control; it has: AeConstraintMode, AeEnable"):
        controls.plan({"Gamma": 1.0})


def test_a_fixed_exposure_time_leaves_the_gain_to_auto_exposure(controls: ControlSet) -> None:
    sent, notes = change(controls, ExposureTime=10000)

    assert sent == {"ExposureTime": 10000}
    assert notes == ["ExposureTime fixed; auto-exposure goes on with what is left to it"]
    assert controls.values["AeEnable"] is True


def test_fixing_time_and_gain_ends_auto_exposure(controls: ControlSet) -> None:
    change(controls, ExposureTime=10000)
    sent, notes = change(controls, AnalogueGain=2.0)

    assert sent == {"AnalogueGain": 2.0}
    assert notes == ["ExposureTime and AnalogueGain are both fixed: AeEnable is false"]
    assert controls.values["AeEnable"] is False


def test_fixed_values_win_over_auto_exposure_in_one_change(controls: ControlSet) -> None:
    change(controls, AeEnable=False)
    sent, _ = change(controls, AeEnable=True, ExposureTime=10000, AnalogueGain=2.0)

    assert sent == {"ExposureTime": 10000, "AnalogueGain": 2.0}
    assert controls.values["AeEnable"] is False


def test_turning_auto_exposure_on_releases_what_was_fixed(controls: ControlSet) -> None:
    change(controls, ExposureTime=10000, AnalogueGain=2.0)
    sent, notes = change(controls, AeEnable=True)

    assert sent == {"AeEnable": True, "ExposureTime": 0, "AnalogueGain": 0.0}
    assert notes == ["AeEnable true releases ExposureTime", "AeEnable true releases AnalogueGain"]
    assert (controls.values["ExposureTime"], controls.values["AnalogueGain"]) == (0, 0.0)


def test_handing_the_exposure_time_back_turns_auto_exposure_on_for_it(controls: ControlSet) -> None:
    change(controls, ExposureTime=10000, AnalogueGain=2.0)
    sent, notes = change(controls, ExposureTime=0)

    assert sent == {"ExposureTime": 0}
    assert notes == ["ExposureTime 0 is left to auto-exposure: AeEnable is true"]
    assert controls.values["AeEnable"] is True


def test_fixed_colour_gains_end_auto_white_balance(controls: ControlSet) -> None:
    sent, notes = change(controls, ColourGains=[1.5, 2.0])

    assert sent == {"AwbEnable": False, "ColourGains": (1.5, 2.0)}
    assert notes == ["ColourGains end auto white balance: AwbEnable is false"]


def test_turning_auto_white_balance_on_releases_the_gains(controls: ControlSet) -> None:
    change(controls, ColourGains=[1.5, 2.0])
    sent, notes = change(controls, AwbEnable=True)

    assert sent == {"AwbEnable": True}
    assert notes == ["AwbEnable true releases ColourGains"]
    assert controls.values["ColourGains"] == ()


def test_taking_the_gains_away_turns_auto_white_balance_on(controls: ControlSet) -> None:
    change(controls, ColourGains=[1.5, 2.0])
    sent, notes = change(controls, ColourGains=[])

    assert sent == {"AwbEnable": True}
    assert notes == ["without ColourGains white balance is automatic: AwbEnable is true"]


def test_a_lens_position_waits_for_manual_focus(controls: ControlSet) -> None:
    change(controls, AfMode=2)
    sent, notes = change(controls, LensPosition=5.0)

    assert sent == {}
    assert notes == ["LensPosition has no effect until AfMode is 0"]
    assert change(controls, AfMode=0)[0] == {"AfMode": 0, "LensPosition": 5.0}


def test_a_mode_without_its_automatic_is_said_to_have_no_effect(controls: ControlSet) -> None:
    change(controls, AeEnable=False)
    sent, notes = change(controls, AeExposureMode=1)

    assert sent == {"AeExposureMode": 1}
    assert notes == ["AeExposureMode has no effect until AeEnable is true"]


def test_an_exposure_longer_than_a_frame_is_said_to_be_cut(controls: ControlSet) -> None:
    assert (
        "ExposureTime is cut to the 33333 us of a frame; lower frame_rate for longer ones"
        in change(controls, ExposureTime=50000)[1]
    )
    change(controls, FrameDurationLimits=[60000, 60000])
    assert all("is cut" not in note for note in change(controls, ExposureTime=50001)[1])


def test_own_frame_durations_replace_the_frame_rate_until_taken_away(controls: ControlSet) -> None:
    sent, notes = change(controls, FrameDurationLimits=[20000, 20000])

    assert (sent, notes) == ({"FrameDurationLimits": (20000, 20000)}, ["FrameDurationLimits replaces frame_rate"])
    assert change(controls, FrameDurationLimits=[])[0] == {"FrameDurationLimits": (33333, 33333)}


def test_taking_a_crop_away_shows_the_whole_picture_again(controls: ControlSet) -> None:
    change(controls, ScalerCrop=[800, 500, 640, 480])

    assert change(controls, ScalerCrop=[])[0] == {"ScalerCrop": (768, 432, 3072, 1728)}


def test_an_array_that_nothing_releases_stays_until_the_camera_is_reopened(controls: ControlSet) -> None:
    change(controls, ColourCorrectionMatrix=[1.0] * 9)

    assert change(controls, ColourCorrectionMatrix=[])[0] == {}


def test_a_reopened_camera_is_told_all_that_differs_from_its_own_ways(controls: ControlSet) -> None:
    assert controls.all_for_camera() == {}
    change(controls, ExposureTime=10000, AnalogueGain=2.0, ColourGains=[1.5, 2.0], Contrast=1.5, AfMode=2)
    change(controls, LensPosition=3.0)

    assert controls.all_for_camera() == {
        "ExposureTime": 10000,
        "AnalogueGain": 2.0,
        "AwbEnable": False,
        "ColourGains": (1.5, 2.0),
        "Contrast": 1.5,
        "AfMode": 2,
    }


def test_a_reopened_camera_is_told_too_what_was_set_back(controls: ControlSet) -> None:
    change(controls, Contrast=2.0, ExposureTime=10000)
    change(controls, Contrast=1.0, ExposureTime=0)

    assert controls.all_for_camera() == {"Contrast": 1.0, "ExposureTime": 0}


def test_a_colour_temperature_is_let_go_of_like_gains(controls: ControlSet) -> None:
    change(controls, ColourTemperature=4000)
    sent, notes = change(controls, AwbEnable=True)

    assert (sent, notes) == ({"AwbEnable": True}, ["AwbEnable true releases ColourTemperature"])
    assert controls.values["ColourTemperature"] is None
    assert controls.all_for_camera() == {"AwbEnable": True}


def test_gains_and_a_colour_temperature_replace_each_other(controls: ControlSet) -> None:
    change(controls, ColourTemperature=4000)
    sent, notes = change(controls, ColourGains=[1.5, 2.0])
    assert (sent, notes) == (
        {"ColourGains": (1.5, 2.0), "AwbEnable": False},
        ["ColourGains replaces ColourTemperature"],
    )
    change(controls, ColourTemperature=5000)

    assert (controls.values["ColourGains"], controls.values["ColourTemperature"]) == ((), 5000)
    assert controls.all_for_camera() == {"AwbEnable": False, "ColourTemperature": 5000}


def test_a_colour_matrix_waits_for_the_end_of_auto_white_balance(controls: ControlSet) -> None:
    matrix = (1.5, -0.5, 0.0, 0.0, 1.0, 0.0, 0.0, -0.25, 1.25)
    sent, notes = change(controls, ColourCorrectionMatrix=matrix)

    assert (sent, notes) == ({}, ["ColourCorrectionMatrix has no effect until AwbEnable is false"])
    assert controls.all_for_camera() == {}
    assert change(controls, AwbEnable=False)[0] == {"AwbEnable": False, "ColourCorrectionMatrix": matrix}


def test_a_crop_that_libcamera_cannot_tell_is_left_alone() -> None:
    before_configure = {"ScalerCrop": ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (0, 0, 0, 0))}
    controls = ControlSet(controls_of(before_configure, {}))

    assert change(controls, ScalerCrop=[])[0] == {}
    assert controls.all_for_camera() == {}


def test_a_default_that_nobody_tells_is_neither_true_nor_false(controls: ControlSet) -> None:
    unknown = ControlSet(controls_of({"AeEnable": (False, True, None), "AeExposureMode": (0, 3, 0)}, {}))

    assert unknown.values["AeEnable"] is None
    assert change(unknown, AeExposureMode=1) == ({"AeExposureMode": 1}, [])


def test_a_camera_without_these_controls_has_no_conflicts() -> None:
    controls = ControlSet(controls_of({"Contrast": (0.0, 32.0, 1.0), "ExposureTime": (26, 66666, 20000)}, {}))

    assert change(controls, Contrast=2.0, ExposureTime=100) == ({"Contrast": 2.0, "ExposureTime": 100}, [])

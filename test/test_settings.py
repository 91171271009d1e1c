"""Parameters are declared once: types, ranges and defaults come from the settings classes."""

import pytest

from picam_webrtc.declaration import Settings
from picam_webrtc.errors import SettingError
from picam_webrtc.settings import CameraSettings, InferenceSettings, WebRtcSettings

ALL_SETTINGS = (CameraSettings, InferenceSettings, WebRtcSettings)


@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_every_default_satisfies_its_own_declaration(settings: type[Settings]) -> None:
    for declaration in settings.declarations():
        assert declaration.check(declaration.default) == declaration.default


@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_every_parameter_has_a_description(settings: type[Settings]) -> None:
    assert all(declaration.param.description for declaration in settings.declarations())


def test_values_override_defaults_and_the_rest_stays() -> None:
    settings = CameraSettings.from_values({"width": 640, "height": 480})

    assert (settings.width, settings.height) == (640, 480)
    assert settings.frame_rate == CameraSettings().frame_rate


def test_an_integer_is_accepted_where_a_float_is_declared() -> None:
    assert CameraSettings.from_values({"frame_rate": 15}).frame_rate == 15.0


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("width", 0, "from 64 to 9248"),
        ("width", 640.0, "must be of type int"),
        ("width", True, "must be of type int"),
        ("frame_rate", float("nan"), "from 1 to 120"),
        ("source", "webcam", "one of auto, picamera2, video_file, bag, test_pattern"),
        ("frame_id", 7, "must be of type str"),
        ("widht", 640, "no such parameter; there are: source,"),
    ],
)
def test_a_bad_value_is_refused_naming_parameter_value_and_remedy(name: str, value: object, remedy: str) -> None:
    with pytest.raises(SettingError, match=remedy) as refused:
        CameraSettings.from_values({name: value})

    assert f"parameter '{name}' = {value!r}" in str(refused.value)


def test_a_list_parameter_takes_strings_only() -> None:
    assert WebRtcSettings.from_values({"codecs": ["vp8"]}).codecs == ("vp8",)
    with pytest.raises(SettingError, match="list of strings"):
        WebRtcSettings.from_values({"codecs": [8]})

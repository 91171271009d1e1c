"""The camera's values through JSON: what arrives is what was sent, in the same types."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control, Kind, controls_of
from picam_webrtc.camera.picamera2_library import CameraInfo
from picam_webrtc.camera.sensor_mode import SensorMode
from picam_webrtc.camera.wire_data import MOST_BYTES, pack, unpack
from picam_webrtc.frame import ColorSpace
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.view import View
from picam_webrtc_test.camera.fake_picamera2 import FakeControlId
from picam_webrtc_test.camera.libcamera_tables import IMX708_CONTROLS


def there(value: Any) -> Any:
    return unpack(json.loads(json.dumps(pack(value))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        -0.5,
        "gain µ",
        [1, (2, 3)],
        (),
        ((0, 0, 64, 64),),
        {"Configured": {"ScalerCrop": (1, 2, 3, 4)}, "empty": {}},
        {0: "AfModeManual", 1: "AfModeAuto"},
        pytest.param({"AwbEnable", "Contrast"}, id="a set"),
        b"any bytes \x00\xff",
        Kind.RECTANGLES,
        CameraInfo(1, "/base/i2c", "imx708"),
        SensorOutputs(SensorNetwork("pets"), View((9, 6), (0, 0, 9, 6), (0, 0, 9, 6)), (SensorTensor.of([1.5]),), 7),
        SensorMode((1536, 864), 10, "SRGGB10_CSI2P", 120.13, (768, 432, 3072, 1728)),
        View((4608, 2592), (768, 432, 3072, 1728), (0, 0, 4608, 2592), hflip=True, orientation=180),
        ColorSpace.REC709,
        Plan({"Contrast": 2.0}, {"ColourGains": (1.5, 2.0)}, ["a note"]),
        Control("AfMode", Kind.INT, 0, 2, 0, 0, {0: "AfModeManual"}),
    ],
    ids=str,
)
def test_a_value_arrives_as_it_was(value: object) -> None:
    arrived = there(value)

    assert arrived == value
    assert type(arrived) is type(value)
    if not isinstance(value, set):
        assert repr(arrived) == repr(value)  # (1,) is not [1], and True not 1


def test_a_set_of_controls_arrives_with_its_values_and_plans_as_before() -> None:
    ids = {name: FakeControlId(name) for name in IMX708_CONTROLS}
    here = ControlSet(controls_of(IMX708_CONTROLS, ids), 33333)
    here.commit(here.plan({"ExposureTime": 9000, "ColourGains": [1.5, 2.0]}))
    arrived = there(here)

    assert arrived.controls == here.controls
    assert arrived.values == here.values
    assert arrived.all_for_camera() == here.all_for_camera()
    assert arrived.plan({"ExposureTime": 50000}) == here.plan({"ExposureTime": 50000})


def test_a_field_that_this_version_does_not_know_is_left_out() -> None:
    data = {"CameraInfo": {"index": 0, "id": "a", "model": "b", "rotation": 180}}

    assert unpack(data) == CameraInfo(0, "a", "b")


@pytest.mark.parametrize("stranger", [object(), 1j, np.int64(1), np.zeros(3)], ids=lambda one: type(one).__name__)
def test_what_has_no_place_in_the_protocol_is_not_sent(stranger: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        pack(stranger)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"tuple": 5},
        {"tuple": [], "map": []},
        {"map": [1]},
        {"dict": [1]},
        {"dict": 5},
        {"map": [[[], 1]]},
        {"Popen": {"args": "id"}},
        {"CameraInfo": {"index": 0}},
        {"CameraInfo": {"index": "0", "id": "a", "model": "b"}},
        {"CameraInfo": [1, 2]},
        {"Kind": "list of pickles"},
        {"FrameSet": {"frame": 5}},
        {"ControlSet": {"values": {"map": []}, "controls": {"map": [["x", 1]]}}},
        {"ControlSet": {"plan": 5, "values": []}},
        {"set": [[]]},
        {"bytes": 5},
        {"bytes": "ÿ"},
        {"bytes": "AAAA"},
        {"bytes": base64.b64encode(zlib.compress(bytes(100))[:-4]).decode()},
        {"bytes": base64.b64encode(zlib.compress(bytes(MOST_BYTES + 1))).decode()},
        {"SensorTensor": {"shape": {"tuple": [2]}, "data": pack(b"abc")}},
    ],
    ids=lambda data: str(data)[:60],
)
def test_what_nobody_sends_is_refused(data: Any) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        unpack(data)

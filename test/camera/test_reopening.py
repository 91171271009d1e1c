"""What the camera was told: read back from a Picamera2 of each release, when running and after it was reopened.

The stand-in has libcamera's own tables, and an IPA that remembers what it was told when the camera is closed.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.errors import SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock
from picam_webrtc_test.camera.libcamera_ipa import Ipa, State
from picam_webrtc_test.camera.libcamera_tables import IMX219, IMX477, IMX708, OV5647, PICAMERA2, Sensor

VERSIONS = tuple(PICAMERA2)
Changes = Mapping[str, Any]


class Camera:
    """A source on a stand-in; `set` goes the way of the parameters."""

    def __init__(self, version: str = "0.3.38", pisp: bool = False, **settings: Any) -> None:
        self.device = FakePicamera2(version=version, pisp=pisp)
        values = {"source": "picamera2", "width": 1280, "height": 720, **settings}
        library = FakeLibrary("imx708", device=self.device)
        self.source = Picamera2Source(CameraSettings.from_values(values), library, FakeClock())
        self.controls = self.source.probe()

    def set(self, **changes: Any) -> None:
        self.source.apply(self.controls.plan(changes))

    def frame(self) -> None:
        self.device.complete()
        assert self.source.read(1) is not None

    def restart_process(self) -> None:
        """What a capture process that was made anew starts with."""
        self.device.ipa = Ipa(PICAMERA2[self.device.version].exposure_modes)

    @property
    def state(self) -> State:
        return self.device.ipa.state

    def told_at_start(self) -> dict[str, Any]:
        """What was told when the camera was opened last, without what Picamera2 and the frame rate always tell."""
        own = {"FrameDurationLimits", "NoiseReductionMode"}
        return {name: value for name, value in self.device.told[-1].items() if name not in own}


def known(camera: Camera, changes: Changes) -> Changes:
    """Those of `changes` that this release of libcamera has a control for."""
    return {name: value for name, value in changes.items() if name in camera.controls.controls}


CROP = (1000, 600, 1536, 864)
TABLE: tuple[tuple[str, tuple[Changes, ...], dict[str, Any]], ...] = (
    ("exposure time", ({"ExposureTime": 10000},), {"exposure": 10000, "gain": 0.0}),
    ("gain", ({"AnalogueGain": 2.0},), {"exposure": 0, "gain": 2.0}),
    ("both", ({"ExposureTime": 10000}, {"AnalogueGain": 2.0}), {"exposure": 10000, "gain": 2.0}),
    ("both released", ({"ExposureTime": 10000, "AnalogueGain": 2.0}, {"AeEnable": True}), {"exposure": 0, "gain": 0.0}),
    (
        "one handed back",
        ({"ExposureTime": 10000, "AnalogueGain": 2.0}, {"AnalogueGain": 0}),
        {"exposure": 10000, "gain": 0.0},
    ),
    ("automatic but fixed", ({"AeEnable": True, "ExposureTime": 10000},), {"exposure": 10000, "gain": 0.0}),
    (
        "held, then fixed",
        ({"AeEnable": False}, {"AeEnable": True, "ExposureTime": 5000}),
        {"exposure": 5000, "gain": 0.0},
    ),
    ("white balance off", ({"AwbEnable": False},), {"white_balance": "held"}),
    ("white balance on", ({"AwbEnable": True},), {"white_balance": "automatic"}),
    ("gains", ({"ColourGains": [1.5, 2.0]},), {"white_balance": (1.5, 2.0)}),
    ("gains released", ({"ColourGains": [1.5, 2.0]}, {"AwbEnable": True}), {"white_balance": "automatic"}),
    ("gains taken away", ({"ColourGains": [1.5, 2.0]}, {"ColourGains": []}), {"white_balance": "automatic"}),
    ("noise reduction off", ({"NoiseReductionMode": 0},), {"other.NoiseReductionMode": 0}),
    ("contrast", ({"Contrast": 2.0},), {"other.Contrast": 2.0}),
    ("contrast set back", ({"Contrast": 2.0}, {"Contrast": 1.0}), {"other.Contrast": 1.0}),
    ("lens", ({"AfMode": 0, "LensPosition": 3.0},), {"focus": 0, "lens": 3.0}),
    ("lens after continuous", ({"AfMode": 2}, {"LensPosition": 3.0}, {"AfMode": 0}), {"focus": 0, "lens": 3.0}),
    ("lens waits", ({"AfMode": 2}, {"LensPosition": 3.0}), {"focus": 2, "lens": None}),
    ("crop", ({"ScalerCrop": CROP},), {"crops": (CROP,)}),
    ("crop taken away", ({"ScalerCrop": CROP}, {"ScalerCrop": []}), {"crops": (IMX708.modes[0].crop,)}),
    ("durations", ({"FrameDurationLimits": [50000, 60000]},), {"other.FrameDurationLimits": (50000, 60000)}),
    (
        "durations taken away",
        ({"FrameDurationLimits": [50000, 60000]}, {"FrameDurationLimits": []}),
        {"other.FrameDurationLimits": (33333, 33333)},
    ),
)
NEWER: tuple[tuple[str, tuple[Changes, ...], dict[str, Any]], ...] = (
    ("held", ({"AeEnable": False},), {"exposure": 12345, "gain": 12345}),
    ("temperature", ({"ColourTemperature": 4000},), {"white_balance": 4000}),
    ("temperature released", ({"ColourTemperature": 4000}, {"AwbEnable": True}), {"white_balance": "automatic"}),
    (
        "temperature, then gains",
        ({"ColourTemperature": 4000}, {"ColourGains": [1.5, 2.0]}),
        {"white_balance": (1.5, 2.0)},
    ),
    ("temperature not set", ({"ColourTemperature": 4000}, {"ColourTemperature": None}), {"white_balance": "automatic"}),
    (
        "matrix",
        ({"AwbEnable": False}, {"ColourCorrectionMatrix": [2.0, -1.0, 0.0] + [0.0] * 6}),
        {"matrix": (2.0, -1.0, 0.0) + (0.0,) * 6},
    ),
    (
        "matrix waits",
        ({"ColourCorrectionMatrix": [2.0, -1.0, 0.0] + [0.0] * 6}, {"AwbEnable": False}),
        {"matrix": (2.0, -1.0, 0.0) + (0.0,) * 6},
    ),
    (
        "matrix without effect",
        ({"AwbEnable": False, "ColourCorrectionMatrix": [2.0, -1.0, 0.0] + [0.0] * 6}, {"AwbEnable": True}),
        {"matrix": "automatic", "white_balance": "automatic"},
    ),
)
ROWS = [(version, *row) for version in VERSIONS for row in TABLE] + [
    (version, *row) for version in ("0.3.31", "0.3.38") for row in NEWER
]


def seen(state: State) -> dict[str, Any]:
    flat = {
        name: getattr(state, name) for name in ("exposure", "gain", "white_balance", "matrix", "focus", "lens", "crops")
    }
    return flat | {f"other.{name}": value for name, value in state.other.items()}


@pytest.mark.parametrize(("version", "name", "changes", "expected"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
@pytest.mark.parametrize("pisp", [False, True], ids=["vc4", "pisp"])
def test_the_camera_does_what_the_parameters_show_running_and_reopened(
    version: str, name: str, changes: tuple[Changes, ...], expected: dict[str, Any], pisp: bool
) -> None:
    camera = Camera(version, pisp)
    camera.source.open()
    for change in changes:
        camera.set(**known(camera, change))
        camera.frame()
    running = {key: seen(camera.state)[key] for key in expected}
    camera.source.close()
    camera.source.open()
    reopened = {key: seen(camera.state)[key] for key in expected}
    camera.source.close()
    camera.restart_process()
    camera.source.open()
    anew = {key: seen(camera.state).get(key) for key in expected}

    assert running == expected
    assert reopened == expected
    assert anew == expected


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "changes", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_what_is_set_while_the_camera_is_closed_is_so_when_it_opens(
    version: str, name: str, changes: tuple[Changes, ...], expected: dict[str, Any]
) -> None:
    camera = Camera(version)
    camera.source.open()
    camera.set(**known(camera, changes[0]))
    camera.frame()
    camera.source.close()
    for change in changes[1:]:
        camera.set(**known(camera, change))
    camera.source.open()

    assert {key: seen(camera.state)[key] for key in expected} == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_camera_of_which_nothing_was_set_is_told_nothing(version: str) -> None:
    camera = Camera(version)
    for _ in range(2):
        camera.source.open()
        assert camera.told_at_start() == {}
        assert camera.device.told[-1] == {"FrameDurationLimits": (33333, 33333), "NoiseReductionMode": 1}
        camera.source.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_limits_are_those_of_the_sensor_mode_and_not_libcameras_generic_ones(version: str) -> None:
    camera = Camera(version, frame_rate=5.0)
    assert camera.controls.controls["ExposureTime"].maximum == 77208384
    camera.set(ExposureTime=150000)
    camera.source.open()

    assert camera.state.exposure == 150000
    assert camera.state.other["FrameDurationLimits"] == (200000, 200000)


def test_what_the_video_configuration_sets_first_is_what_the_parameter_shows() -> None:
    assert Camera().controls.values["NoiseReductionMode"] == 1


def test_triggers_reach_the_camera_each_time_and_are_not_repeated_when_it_is_reopened() -> None:
    camera = Camera()
    camera.set(AfMode=1, AfTrigger=0)  # before it was ever opened
    camera.source.open()
    for _ in range(2):
        camera.set(AfTrigger=0)
        camera.frame()
    assert camera.state.triggered == [("AfTrigger", 0)] * 3
    camera.source.close()
    camera.source.open()

    assert camera.state.triggered == [("AfTrigger", 0)] * 3


@pytest.mark.parametrize("version", ["0.3.31", "0.3.38"])
def test_a_crop_wins_over_the_crops_that_picamera2_sets_on_a_raspberry_pi_5(version: str) -> None:
    camera = Camera(version, pisp=True, lores_width=640, lores_height=360)
    camera.source.open()
    assert camera.state.crops == (IMX708.modes[0].crop,) * 2
    camera.set(ScalerCrop=CROP)
    camera.frame()
    assert camera.state.crops == (CROP, CROP)
    camera.source.close()
    camera.source.open()

    assert camera.state.crops == (CROP, CROP)
    camera.set(ScalerCrop=[])
    camera.frame()
    assert camera.state.crops == (IMX708.modes[0].crop,) * 2


@pytest.mark.parametrize(
    ("settings", "crop", "shown"),
    [
        ({"crop": "2"}, (1536, 864, 1536, 864), [1536, 864, 1536, 864]),
        ({"crop": "1000,600,1536,864"}, CROP, list(CROP)),
    ],
)
@pytest.mark.parametrize("pisp", [False, True], ids=["vc4", "pisp"])
def test_the_parameter_crop_is_where_the_control_begins(
    settings: Changes, crop: tuple[int, ...], shown: list[int], pisp: bool
) -> None:
    camera = Camera(pisp=pisp, **settings)
    camera.source.open()

    assert camera.state.crops == (crop,)
    assert list(camera.controls.values["ScalerCrop"]) == shown  # type: ignore[arg-type]
    camera.set(ScalerCrop=[])
    camera.frame()
    assert camera.state.crops == (IMX708.modes[0].crop,)


def test_the_parameter_af_window_is_a_share_of_the_picture() -> None:
    camera = Camera(af_window="0.25,0.25,0.5,0.5")
    camera.source.open()

    assert camera.state.other["AfMetering"] == 1
    assert camera.state.other["AfWindows"] == [(768 + 768, 432 + 432, 1536, 864)]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"crop": "0,0,4608,2592"}, "'crop' = '0,0,4608,2592': must lie within 768,432,3072,1728"),
        ({"crop": "0.5"}, "must be x,y,width,height in sensor pixels, or a zoom"),
        ({"crop": "much"}, "must be x,y,width,height in sensor pixels, or a zoom"),
        ({"af_window": "0.5,0.5,0.6,0.1"}, "'af_window' = .* each a share of the picture"),
        ({"sensor_mode": "1920x1080"}, "must be full or one of .*1536x864:10, 2304x1296:10, 4608x2592:10"),
        ({"sensor_mode": "2304x1296:12"}, "must be full or one of"),
        ({"tuning_file": "missing.json"}, "'tuning_file' = 'missing.json': Tuning file not found"),
    ],
)
def test_what_the_camera_does_not_have_is_a_bad_parameter(settings: Changes, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        Camera(**settings)


SCORED = [
    (IMX708, (1280, 720), "67% of the width, 67% of the height", (1536, 864)),
    (IMX219, (1280, 720), "59% of the width, 44% of the height", (1920, 1080)),
    (IMX219, (640, 480), "39% of the width, 39% of the height", (640, 480)),
    (OV5647, (1280, 720), "74% of the width, 56% of the height", (1920, 1080)),
    (IMX477, (4056, 3040), "100% of the width, 100% of the height", (4056, 3040)),
]


@pytest.mark.parametrize(("sensor", "size", "text", "mode"), SCORED)
def test_the_mode_that_libcamera_chooses_and_its_field_of_view_are_said(
    sensor: Sensor, size: tuple[int, int], text: str, mode: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    settings = CameraSettings.from_values({"width": size[0], "height": size[1], "frame_rate": 5.0})
    source = Picamera2Source(settings, FakeLibrary(sensor.model, device=FakePicamera2(sensor=sensor)), FakeClock())
    for _ in range(2):
        source.open()
        source.close()

    line = f"shows {text} of what its sensor sees (sensor mode {mode[0]}x{mode[1]})"
    assert [message.partition(") ")[2] for message in caplog.messages if "of its sensor" not in message] == [line]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("sensor", "size", "rate", "wanted", "mode"),
    [
        (IMX708, (1280, 720), 30.0, "full", (2304, 1296)),
        (IMX708, (1280, 720), 100.0, "full", (2304, 1296)),
        (IMX708, (4608, 2592), 10.0, "full", (4608, 2592)),
        (IMX708, (1280, 720), 30.0, "4608x2592", (4608, 2592)),
        (IMX219, (640, 480), 30.0, "full", (1640, 1232)),
        (IMX219, (640, 480), 30.0, "1640x1232:8", (1640, 1232)),
        (IMX477, (1280, 720), 30.0, "full", (2028, 1520)),
        (OV5647, (1280, 720), 30.0, "full", (1296, 972)),
    ],
)
def test_a_sensor_mode_is_asked_for_in_words_that_every_release_knows(
    version: str, sensor: Sensor, size: tuple[int, int], rate: float, wanted: str, mode: tuple[int, int]
) -> None:
    settings = {"width": size[0], "height": size[1], "frame_rate": rate, "sensor_mode": wanted}
    device = FakePicamera2(version=version, sensor=sensor)
    library = FakeLibrary(sensor.model, device=device)
    source = Picamera2Source(CameraSettings.from_values(settings), library, FakeClock())
    source.open()

    assert device.mode is not None
    assert device.mode.size == mode
    assert wanted != "1640x1232:8" or device.mode.bit_depth == 8


def test_a_frame_rate_that_the_mode_does_not_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Camera(width=4608, height=2592, frame_rate=30.0)

    assert "gives at most 14.4 frames/s in this sensor mode, not 30" in caplog.text


@pytest.mark.parametrize("version", VERSIONS)
def test_every_release_is_closed_whatever_it_was_doing(version: str) -> None:
    camera = Camera(version)
    camera.device.calls.clear()
    camera.source.open()
    assert camera.source.read(0.001) is None
    camera.source.close()
    camera.source.open()
    camera.device.complete()
    camera.source.close()

    assert camera.device.calls.count("close") == 2
    assert camera.device.unreleased == 0


def test_a_job_that_cannot_be_taken_back_does_not_keep_the_camera_open() -> None:
    camera = Camera()
    camera.source.open()
    camera.device.errors["cancel_all_and_flush"] = RuntimeError("loop died")
    with pytest.raises(Exception, match="does not close: loop died"):
        camera.source.close()

    assert camera.device.calls[-1] == "close"


def test_a_reopened_camera_is_found_by_its_id_when_others_came_or_went() -> None:
    library = FakeLibrary("imx219", "imx708", device=FakePicamera2())
    cameras = [dict(camera) for camera in library.cameras()]
    library.cameras = lambda: cameras  # type: ignore[method-assign]
    source = Picamera2Source(CameraSettings.from_values({"camera": "imx708"}), library, FakeClock())
    source.open()
    source.close()
    del cameras[0]
    source.open()
    source.close()
    assert library.opened == [1, 0]
    cameras.clear()

    with pytest.raises(Exception, match="is not there any more"):
        source.open()


@pytest.mark.parametrize(("hdr", "asked"), [("unchanged", []), ("on", [True]), ("off", [False])])
def test_the_sensors_own_high_dynamic_range_is_set_before_it_is_opened(hdr: str, asked: list[bool]) -> None:
    library = FakeLibrary("imx708")
    source = Picamera2Source(CameraSettings.from_values({"hdr": hdr}), library, FakeClock())
    source.open()

    assert library.hdr == [("/base/i2c@0/imx708", one) for one in asked]


def test_a_tuning_file_is_named_before_cameras_are_looked_for() -> None:
    library = FakeLibrary("imx219", device=FakePicamera2(sensor=IMX219))
    Picamera2Source(CameraSettings.from_values({"tuning_file": "imx219_noir.json"}), library, FakeClock())

    assert library.device.tuning == "imx219_noir.json"


def test_the_number_of_buffers_and_the_colour_space_are_asked_for() -> None:
    camera = Camera(buffer_count=6, format="yuv420", lores_width=640, lores_height=360)
    camera.source.open()

    assert camera.device.configuration["buffer_count"] == 6
    assert camera.device.configuration["colour_space"] == "Smpte170m"

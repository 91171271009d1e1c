"""An IMX500 with a network: in which order things are opened, what becomes of its outputs, and what can be wrong.

Picamera2's device class is a stand-in with what its 0.3.38 has; test/picamera2/test_imx500_class.py holds what is read
of it against the real one. On hardware nothing of it was tried.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.picamera2_library import InstalledLibrary
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.sensor_outputs import SensorNetwork, SensorOutputs
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import View
from picam_webrtc_test.camera.cnn_metadata import cnn_metadata
from picam_webrtc_test.camera.fake_imx500 import write_network
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock
from picam_webrtc_test.camera.libcamera_tables import IMX500
from picam_webrtc_test.camera.sensor_tensors import sensor_tensors

WHOLE = (0, 0, 4056, 3040)
CAMERA = "camera 0, imx500 (/base/i2c@0/imx500)"
PETS = {"task": "object detection", "labels": ["cat", "-", "dog", ""], "ignore_dash_labels": True, "bbox_order": "yx"}


class Rig:
    """A source on a fake library; `values` are settings."""

    def __init__(self, network: str, *models: str, **values: Any) -> None:
        self.device = FakePicamera2(sensor=IMX500)
        self.library = FakeLibrary(*(models or ("imx500",)), device=self.device)
        given = {"source": "picamera2", "width": 64, "height": 64, "network": network, **values}
        self.source = Picamera2Source(CameraSettings.from_values(given), self.library, FakeClock())

    def frame_set(self, metadata: dict[str, Any] | None = None) -> FrameSet:
        self.device.complete(metadata=metadata)
        frame_set = self.source.read(1)
        assert frame_set is not None
        return frame_set

    def outputs(self, metadata: dict[str, Any] | None = None) -> SensorOutputs:
        outputs = self.frame_set(metadata).sensor_outputs
        assert outputs is not None
        return outputs

    @property
    def is_closed(self) -> bool:
        assert self.library.imx500 is not None
        return self.library.imx500.device_fd.closed


@pytest.fixture
def network(tmp_path: Path) -> str:
    return write_network(tmp_path / "pets_pp.rpk", sensor_tensors("cat"), PETS)


def test_the_network_goes_to_the_sensor_before_picamera2_is_opened_and_stays_open_with_it(network: str) -> None:
    rig = Rig(network)
    rig.source.open()

    assert rig.library.order == ["IMX500", "Picamera2"]
    assert not rig.is_closed
    rig.source.close()
    assert rig.is_closed
    assert rig.device.calls[-1] == "close"


def test_each_opening_has_its_own(network: str) -> None:
    rig = Rig(network)
    rig.source.probe()
    assert rig.is_closed
    rig.source.open()
    rig.source.close()

    assert rig.library.order == ["IMX500", "Picamera2"] * 2


def test_what_did_not_open_is_closed(network: str) -> None:
    rig = Rig(network)
    rig.library.error = OSError("Device or resource busy")
    with pytest.raises(CameraError, match="Device or resource busy"):
        rig.source.open()

    assert rig.is_closed


def test_a_frame_has_the_outputs_of_its_exposure(network: str) -> None:
    rig = Rig(network)
    rig.source.open()
    outputs = rig.outputs()

    assert outputs.network == SensorNetwork("pets_pp", "object detection", (320, 320), ("cat", "dog"), "yx")
    assert outputs.network_ns == 12_345_000
    assert outputs.seen == View((4056, 3040), WHOLE, WHOLE)
    assert len(outputs.tensors) == 4
    for tensor, given in zip(outputs.tensors, sensor_tensors("cat"), strict=True):
        assert tensor.array.tolist() == given.tolist()


def test_the_numbers_do_not_stay_in_the_metadata(network: str) -> None:
    rig = Rig(network)
    rig.source.open()
    frame_set = rig.frame_set({"ExposureTime": 9000})

    assert frame_set.metadata == {"ExposureTime": 9000, "ScalerCrop": frame_set.metadata["ScalerCrop"]}


def test_a_frame_of_which_the_sensor_tells_nothing_says_so(tmp_path: Path) -> None:
    slow = write_network(tmp_path / "slow.rpk", [np.ones(3)], each=2)
    rig = Rig(slow)
    rig.source.open()

    assert [len(rig.outputs().tensors) for _ in range(4)] == [0, 1, 0, 1]


def test_a_camera_without_a_network_has_no_outputs() -> None:
    rig = Rig("")
    rig.source.open()

    assert rig.frame_set().sensor_outputs is None
    assert rig.library.order == ["Picamera2"]


def test_a_network_whose_file_says_nothing_of_it_has_a_name(tmp_path: Path) -> None:
    rig = Rig(write_network(tmp_path / "own.rpk", [np.ones(3)], intrinsics=None, input_size=None))
    rig.source.open()

    assert rig.outputs().network == SensorNetwork("own")


def test_a_square_part_is_chosen_once_the_camera_runs_where_the_file_asks_for_that(tmp_path: Path) -> None:
    square = write_network(tmp_path / "square.rpk", [np.ones(3)], {"preserve_aspect_ratio": True})
    rig = Rig(square)
    rig.source.open()

    assert rig.library.order == ["IMX500", "Picamera2", "set_auto_aspect_ratio"]
    assert rig.outputs().seen.crop == (508, 0, 3040, 3040)  # about the middle of 4056


@pytest.mark.parametrize(
    ("values", "mirrored"),
    [
        ({"hflip": True}, (True, False)),
        ({"vflip": True}, (False, True)),
        ({"orientation": 180}, (True, True)),
        ({"orientation": 180, "hflip": True}, (False, True)),
        ({"orientation": 90}, (False, False)),
    ],
)
def test_the_network_sees_what_the_sensor_reads_out(
    network: str, values: dict[str, Any], mirrored: tuple[bool, bool]
) -> None:
    rig = Rig(network, **values)
    rig.source.open()
    seen = rig.outputs().seen

    assert (seen.hflip, seen.vflip, seen.orientation) == (*mirrored, 0)


@pytest.mark.parametrize(
    "metadata",
    [
        {"CnnOutputTensorInfo": ()},
        {"CnnOutputTensorInfo": (1, 2, 3)},
        {"CnnOutputTensor": (1.0, 2.0)},
        {"CnnOutputTensor": ("a", "b")},
        {"CnnOutputTensorInfo": cnn_metadata([np.ones((2, 2))])["CnnOutputTensorInfo"]},
    ],
    ids=["no shapes", "cut short", "too few numbers", "no numbers", "other shapes"],
)
def test_outputs_that_cannot_be_read_are_none_and_said_once(
    network: str, metadata: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(network)
    rig.source.open()
    caplog.clear()

    assert [rig.outputs(metadata).tensors for _ in range(3)] == [()] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "Outputs of the network pets_pp cannot be read: " in caplog.text


def test_without_a_camera_named_the_one_that_can_run_a_network_is_taken(network: str) -> None:
    assert Rig(network, "imx708", "imx500").source.camera.model == "imx500"


@pytest.mark.parametrize(("models", "camera"), [(("imx708",), ""), (("imx708", "imx500"), "imx708")])
def test_another_camera_cannot_run_one(network: str, models: tuple[str, ...], camera: str) -> None:
    with pytest.raises(SettingError) as error:
        Rig(network, *models, camera=camera)

    assert str(error.value) == (
        f"parameter 'network' = '{network}': needs an IMX500, the Raspberry Pi AI Camera, and camera 0, imx708 "
        "(/base/i2c@0/imx708) is none; leave it empty for this camera"
    )


def test_a_file_that_is_not_there_is_told_at_once_with_what_brings_some() -> None:
    with pytest.raises(SettingError) as error:
        Rig("/no/such.rpk")

    assert str(error.value) == (
        "parameter 'network' = '/no/such.rpk': no such file: give the path of an .rpk file (`sudo apt install "
        "imx500-all` brings some to /usr/share/imx500-models)"
    )


def test_a_home_folder_is_the_users(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(network).parent))
    rig = Rig("~/pets_pp.rpk")
    rig.source.open()

    assert rig.outputs().network.name == "pets_pp"


def test_a_file_that_is_no_network_is_told_when_the_controls_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "text.rpk"
    file.write_text("no network")
    rig = Rig(str(file))

    with pytest.raises(SettingError) as error:
        rig.source.probe()
    assert str(error.value) == (
        f"parameter 'network' = '{file}': is no network for an IMX500 (unpack requires a buffer of 8 bytes); give an "
        ".rpk file, as `sudo apt install imx500-all` brings"
    )


def test_a_sensor_that_does_not_take_the_network_may_do_so_later(network: str) -> None:
    rig = Rig(network)
    rig.library.refuses_networks = True
    with pytest.raises(CameraError) as error:
        rig.source.probe()

    assert str(error.value) == (
        f"network {network} does not go to {CAMERA} (IMX500: Requested camera dev-node not found); `sudo apt install "
        "imx500-all` brings the sensor's firmware, and `rpicam-hello --list-cameras` must name imx500"
    )


def test_what_the_class_needs_beyond_picamera2_is_named_where_it_is_missing() -> None:
    with pytest.raises(SettingError) as error:
        InstalledLibrary(object, lambda: None, None).open_imx500("pets.rpk", "")

    text = str(error.value)
    assert text.startswith("parameter 'network' = 'pets.rpk': Picamera2's class for the IMX500 cannot be imported (")
    assert text.endswith("imx500-all python3-jsonschema python3-libarchive-c python3-openexr python3-tqdm`")

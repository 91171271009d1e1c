"""A camera behind a real capture process: to whoever uses it, it is one of this process.

The process is serve.py's own, under an interpreter that can import nothing but numpy, with a stand-in for Picamera2.
"""

import gc
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.control_set import ControlSet
from picam_webrtc.camera.conversation import SILENT_S
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.remote import RemoteSource
from picam_webrtc.camera.slots import SLOTS
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import ColorSpace, Frame
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fake_imx500 import write_network
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import TIMEOUT_S, FakeClock
from picam_webrtc_test.camera.libcamera_tables import IMX500
from picam_webrtc_test.camera.remote_sources import Recovery, WatchedWay, fault_of, next_frame_set, wait_until
from picam_webrtc_test.camera.sensor_tensors import sensor_tensors
from picam_webrtc_test.camera.serve_fake import told_to

CAMERA = "camera 0, imx708 (/base/i2c@0/imx708)"


@pytest.fixture
def way(tmp_path: Path) -> WatchedWay:
    return WatchedWay(tmp_path / "fault")


def settings(**values: Any) -> CameraSettings:
    return CameraSettings.from_values({"source": "picamera2", "width": 64, "height": 64, **values})


@pytest.fixture
def source(way: WatchedWay) -> Iterator[RemoteSource]:
    source = RemoteSource(settings(), way)
    yield source
    source.close()


ALWAYS = {"NoiseReductionMode": 1}
"""What Picamera2's video configuration tells every Raspberry Pi camera."""


def told(frame_set: FrameSet) -> dict[str, Any]:
    """The controls that libcamera was told since the camera was opened, as they are then."""
    return {name: value for controls in frame_set.metadata["Told"] for name, value in controls.items()}


def brightness_of(frame: Frame) -> int:
    """That of every pixel of the fake camera's frame."""
    assert (frame.pixels == frame.pixels.flat[0]).all()
    return int(frame.pixels.flat[0])


def test_frames_come_with_both_streams_their_stamps_and_their_metadata(way: WatchedWay) -> None:
    source = RemoteSource(settings(lores_width=64, lores_height=64, frame_id="front"), way)
    source.open()
    frame_sets = [next_frame_set(source) for _ in range(5)]
    source.close()

    for frame_set in frame_sets:
        assert frame_set.lores is not None
        assert (frame_set.frame.encoding, frame_set.frame.shape) == ("bgr8", (64, 64, 3))
        assert (frame_set.lores.encoding, frame_set.lores.shape) == ("nv12", (96, 64))
        assert frame_set.frame.stamp_ns == frame_set.lores.stamp_ns
        assert abs(time.time_ns() - frame_set.frame.stamp_ns) < TIMEOUT_S * 1e9
        assert (frame_set.frame.frame_id, frame_set.lores.frame_id) == ("front", "front")
        assert brightness_of(frame_set.frame) == brightness_of(frame_set.lores) == frame_set.metadata["Number"]
        assert frame_set.metadata["Gains"] == (1.5, 2.0)
    assert [frame_set.metadata["Number"] for frame_set in frame_sets] == sorted(
        {frame_set.metadata["Number"] for frame_set in frame_sets}
    )


def test_it_names_itself_as_a_camera_of_this_process_does(source: RemoteSource) -> None:
    here = Picamera2Source(settings(), FakeLibrary("imx708", "imx219"), FakeClock())
    before = str(source), source.camera, source.frame_rate
    source.open()
    here.open()

    assert before == (f"{CAMERA} at 30 frames/s", here.camera, here.frame_rate)
    assert str(source) == str(here) == f"{CAMERA}, 64x64 bgr8 at 30 frames/s"


def test_no_process_is_alive_but_from_open_to_close(source: RemoteSource, way: WatchedWay) -> None:
    source.probe()
    assert way.alive == []
    for _ in range(2):
        source.open()
        next_frame_set(source)
        assert len(way.alive) == 1
        source.close()
        source.close()
        assert way.alive == []
    with pytest.raises(CameraError, match="is not open"):
        source.read(0.1)


def test_the_wrong_camera_and_no_camera_are_the_errors_of_this_process(way: WatchedWay, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as wrong:
        RemoteSource(settings(camera="ov5647"), way)
    with pytest.raises(SettingError) as here:
        Picamera2Source(settings(camera="ov5647"), FakeLibrary("imx708", "imx219"))
    with pytest.raises(CameraError, match="Picamera2 sees no camera: check the cable"):
        RemoteSource(settings(), WatchedWay(tmp_path / "fault", models=""))

    assert str(wrong.value) == str(here.value)
    assert way.alive == []


def test_warnings_of_the_capture_process_are_logged_here_and_once(
    way: WatchedWay, caplog: pytest.LogCaptureFixture
) -> None:
    way.fault_file.write_text("adjust")
    source = RemoteSource(settings(format="rgb"), way)
    for _ in range(2):
        source.open()
        assert next_frame_set(source).frame.color_space is ColorSpace.REC709
        source.close()

    warnings = [(one.name, one.levelno, one.getMessage()) for one in caplog.records if one.levelno >= logging.WARNING]
    converted = "each YUV picture is converted, which costs time: a bgr or rgb format does not need that"
    assert warnings == [
        ("picam_webrtc.camera.picamera2", logging.WARNING, f"{CAMERA} gives colours in rec709; {converted}"),
        ("picam_webrtc.camera.picamera2", logging.WARNING, f"{CAMERA} gives 128x96, not 64x64"),
        ("picam_webrtc.camera.picamera2", logging.WARNING, f"{CAMERA} gives nv12, not format rgb"),
    ]


def test_the_controls_are_those_that_picamera2_tells_of(source: RemoteSource) -> None:
    here = Picamera2Source(settings(), FakeLibrary("imx708")).probe()

    assert source.probe().controls == here.controls
    with pytest.raises(SettingError, match=r"'Contrast' = 99.0: must be from 0 to 32"):
        source.probe().plan({"Contrast": 99.0})


SEEN_OTHERWISE: tuple[dict[str, Any], ...] = (
    {},
    {"sensor_mode": "full", "crop": "2", "orientation": 90, "lores_width": 64, "lores_height": 64},
    {"sensor_mode": "2304x1296:10", "crop": "1000,500,2304,1728", "hflip": True, "orientation": 180, "hdr": "on"},
    {"af_window": "0.25,0.25,0.5,0.5", "tuning_file": "imx708_noir.json", "buffer_count": 6, "format": "yuv420"},
)


@pytest.mark.parametrize("values", SEEN_OTHERWISE, ids=lambda values: ",".join(values))
def test_the_camera_is_told_and_its_pictures_tell_what_they_do_in_this_process(
    way: WatchedWay, values: dict[str, Any]
) -> None:
    device = FakePicamera2()
    library = FakeLibrary("imx708", "imx219", device=device)
    here, there = Picamera2Source(settings(**values), library, FakeClock()), RemoteSource(settings(**values), way)
    for source in (here, there):
        controls = source.probe()
        source.apply(controls.plan({"AfMode": 1, "AfTrigger": 0, "ExposureTime": 9000}))  # AfTrigger is done once
        source.open()
    device.complete()
    ours, theirs = here.read(TIMEOUT_S), next_frame_set(there)
    text, known = str(there), there._controls
    there.close()

    assert ours is not None
    assert theirs.metadata.items() >= told_to(device, library).items()
    assert known is not None
    assert here.controls is not None
    assert (text, known.controls, known.values) == (str(here), here.controls.controls, here.controls.values)
    assert theirs.turn == ours.turn
    for one, other in ((ours.frame, theirs.frame), (ours.lores, theirs.lores)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert (one.view, one.color_space, one.encoding) == (other.view, other.color_space, other.encoding)
            assert (one.shape, one.frame_id) == (other.shape, other.frame_id)


@pytest.mark.parametrize(
    "values",
    [{"sensor_mode": "1x1"}, {"crop": "0,0,99999,9"}, {"af_window": "2,2,2,2"}, {"tuning_file": "missing.json"}],
    ids=lambda values: ",".join(values),
)
def test_what_the_camera_cannot_be_set_to_is_the_error_of_this_process(way: WatchedWay, values: dict[str, Any]) -> None:
    with pytest.raises(SettingError) as here:
        Picamera2Source(settings(**values), FakeLibrary("imx708")).probe()
    with pytest.raises(SettingError) as there:
        RemoteSource(settings(**values), way).probe()

    assert str(there.value) == str(here.value)
    assert way.alive == []


def test_what_was_triggered_is_done_once(source: RemoteSource) -> None:
    controls = source.probe()
    source.apply(controls.plan({"AfMode": 1, "AfTrigger": 0}))
    source.open()
    assert told(next_frame_set(source))["AfTrigger"] == 0
    source.close()
    source.open()

    assert told(next_frame_set(source)) == {"FrameDurationLimits": (33333, 33333), "AfMode": 1, **ALWAYS}


def test_what_was_learnt_and_said_goes_on_to_the_next_process(
    way: WatchedWay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = RemoteSource(settings(sensor_mode="full"), way)
    source.probe()
    for _ in range(2):
        source.open()
        calls = next_frame_set(source).metadata["Calls"]
        source.close()

    assert "sensor_modes" not in calls  # for each of which Picamera2 would configure the camera
    shown = "56% of the width, 100% of the height of what its sensor sees (sensor mode 2304x1296)"
    assert [one.getMessage() for one in caplog.records if "shows" in one.getMessage()] == [f"{CAMERA} shows {shown}"]


def test_controls_are_learnt_at_the_first_opening_where_they_could_not_be_asked_for(
    source: RemoteSource, way: WatchedWay
) -> None:
    learnt = list[ControlSet]()
    source.on_controls = learnt.append
    for _ in range(2):
        source.open()
        source.close()

    assert len(learnt) == 1
    assert "Contrast" in learnt[0].controls


def test_a_camera_that_cannot_be_asked_for_its_controls_opens_all_the_same(
    source: RemoteSource, way: WatchedWay
) -> None:
    way.fault_file.write_text("busy")
    with pytest.raises(CameraError, match="does not open: Device or resource busy"):
        source.probe()
    assert way.alive == []
    way.fault_file.unlink()
    source.open()

    assert told(next_frame_set(source)) == {"FrameDurationLimits": (33333, 33333), **ALWAYS}


def test_controls_reach_the_camera_with_the_next_frame_and_at_every_opening(source: RemoteSource) -> None:
    controls = source.probe()
    source.apply(controls.plan({"Contrast": 2.0}))
    source.open()
    assert told(next_frame_set(source)) == {"FrameDurationLimits": (33333, 33333), "Contrast": 2.0, **ALWAYS}
    source.apply(controls.plan({"ColourGains": [1.5, 2.5]}))
    source.apply(controls.plan({"FrameDurationLimits": [20000, 20000]}))
    wait_until(lambda: "ColourGains" in told(next_frame_set(source)), "controls at the camera")
    assert told(next_frame_set(source))["ColourGains"] == (1.5, 2.5)
    wait_until(lambda: next_frame_set(source).metadata["Number"] > 0 and source.frame_rate == 50, "the new frame rate")
    source.close()
    source.open()

    assert told(next_frame_set(source)) == {
        **ALWAYS,
        "FrameDurationLimits": (20000, 20000),
        "Contrast": 2.0,
        "ColourGains": (1.5, 2.5),
        "AwbEnable": False,
    }


def test_a_camera_that_fails_says_what_it_says_in_this_process(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    next_frame_set(source)
    way.fault_file.write_text("raise")

    assert fault_of(source) == f"{CAMERA} failed: no link"


def test_a_process_that_ends_is_an_error_that_tells_how(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    os.kill(way.alive[0], signal.SIGKILL)
    assert fault_of(source) == "the capture process was ended by SIGKILL"
    source.close()

    source.open()
    way.fault_file.write_text("crash")
    assert fault_of(source) == "the capture process ended with exit code 3"


def test_pictures_that_somebody_holds_outlive_their_process(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    held = [next_frame_set(source) for _ in range(3)]
    os.kill(way.alive[0], signal.SIGKILL)
    fault_of(source)
    source.close()
    source.open()
    for _ in range(SLOTS + 2):
        next_frame_set(source)

    assert [brightness_of(frame_set.frame) for frame_set in held] == [
        frame_set.metadata["Number"] for frame_set in held
    ]
    with pytest.raises(ValueError, match="read-only"):
        held[0].frame.pixels[0] = 0


def test_whoever_keeps_every_picture_misses_none(source: RemoteSource) -> None:
    source.open()
    kept = [next_frame_set(source) for _ in range(SLOTS * 3)]

    assert [brightness_of(frame_set.frame) for frame_set in kept] == [
        frame_set.metadata["Number"] for frame_set in kept
    ]


def test_a_frame_that_waits_too_long_gives_way_to_the_newest(source: RemoteSource) -> None:
    source.open()
    first = next_frame_set(source).metadata["Number"]
    time.sleep(2.0)  # what is tested: a node that was held; more frames than there are slots
    frame_set = source.read(1.0)

    assert frame_set is not None
    assert frame_set.metadata["Number"] > first + SLOTS
    assert time.time_ns() - frame_set.frame.stamp_ns < 0.5e9


def test_ctrl_c_in_a_terminal_is_not_for_the_capture_process(source: RemoteSource, way: WatchedWay) -> None:
    source.open()

    assert os.getpgid(way.alive[0]) != os.getpgrp()


def test_a_process_that_is_told_to_end_closes_its_camera_first(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    next_frame_set(source)
    os.kill(way.alive[0], signal.SIGTERM)

    assert fault_of(source) == "the capture process ended with exit code 0"


def test_an_opening_that_fails_leaves_nothing_alive(source: RemoteSource, way: WatchedWay) -> None:
    way.fault_file.write_text("busy")
    with pytest.raises(CameraError, match="does not open: Device or resource busy"):
        source.open()

    assert way.alive == []


def test_a_camera_that_gives_nothing_closes_in_order(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    next_frame_set(source)
    way.fault_file.write_text("hold")
    silent_from_s = time.monotonic()
    while time.monotonic() - silent_from_s < SILENT_S * 1.5:
        source.read(0.1)
    process = way.processes[-1]
    source.close()

    assert process.why_it_ended() == "the capture process ended with exit code 0"


def test_a_hung_process_is_gone_soon_after_close(source: RemoteSource, way: WatchedWay) -> None:
    source.open()
    next_frame_set(source)
    way.fault_file.write_text("gil")
    while source.read(0.5) is not None:
        pass
    begin_s = time.monotonic()
    source.close()

    assert time.monotonic() - begin_s < 2.5
    assert way.alive == []


@pytest.mark.heavy
def test_a_killed_process_is_replaced_within_1_2_s(source: RemoteSource, way: WatchedWay) -> None:
    recovery = Recovery(source)
    with recovery.capture:
        for _ in range(3):
            assert recovery.seconds_until_back(lambda: os.kill(way.alive[0], signal.SIGKILL)) <= 1.2
    assert way.alive == []


@pytest.mark.heavy
@pytest.mark.parametrize("hang", ["stopped", "gil", "lock"])
def test_a_hung_process_is_replaced_within_4_s(source: RemoteSource, way: WatchedWay, hang: str) -> None:
    def disturb() -> None:
        if hang == "stopped":
            os.kill(way.alive[0], signal.SIGSTOP)
        else:
            way.fault_file.write_text(hang)

    recovery = Recovery(source)
    with recovery.capture:
        assert recovery.seconds_until_back(disturb) <= 4.0
    assert way.alive == []


@pytest.mark.heavy
def test_a_hundred_killed_processes_leave_nothing_behind(source: RemoteSource, way: WatchedWay) -> None:
    def holdings() -> tuple[int, int, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        maps = Path("/proc/self/maps").read_text().count("memfd:picam_webrtc")
        return len(os.listdir("/proc/self/fd")), maps, pages * os.sysconf("SC_PAGE_SIZE")

    def killed_once() -> None:
        source.open()
        next_frame_set(source)
        os.kill(way.alive[0], signal.SIGKILL)
        assert "SIGKILL" in fault_of(source)
        source.close()
        assert way.alive == []
        way.processes.clear()

    for _ in range(3):
        killed_once()
    before = holdings()
    for _ in range(100):
        killed_once()
    after = holdings()

    assert after[:2] == before[:2]
    assert before[1] == 0
    assert after[2] - before[2] < 2 << 20
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def network_settings(tmp_path: Path, *outputs: Any, **values: Any) -> CameraSettings:
    intrinsics = {"task": "segmentation", "labels": [f"thing {number}" for number in range(1001)]}
    return settings(network=write_network(tmp_path / "pets.rpk", outputs, intrinsics), **values)


@pytest.mark.parametrize("name", ["cat", "astronaut"])
def test_outputs_of_a_network_on_the_sensor_come_as_from_this_process(tmp_path: Path, name: str) -> None:
    wanted = network_settings(tmp_path, *sensor_tensors(name), hflip=True)
    device = FakePicamera2(sensor=IMX500)
    here = Picamera2Source(wanted, FakeLibrary("imx500", device=device), FakeClock())
    here.open()
    device.complete()
    there = RemoteSource(wanted, WatchedWay(tmp_path / "fault", "imx500"))
    there.open()
    frame_sets = next_frame_set(there), here.read(TIMEOUT_S)
    there.close()

    assert frame_sets[1] is not None
    assert frame_sets[0].sensor_outputs == frame_sets[1].sensor_outputs
    assert not [name for name in frame_sets[0].metadata if name.startswith("Cnn")]


def test_outputs_too_long_for_a_message_are_left_out_and_frames_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).random((256, 256))
    source = RemoteSource(network_settings(tmp_path, noise), WatchedWay(tmp_path / "fault", "imx500"))
    source.open()
    frame_sets = [next_frame_set(source) for _ in range(3)]
    source.close()

    for frame_set in frame_sets:
        assert frame_set.sensor_outputs is not None
        assert (frame_set.sensor_outputs.tensors, frame_set.sensor_outputs.network.name) == ((), "pets")
    (said,) = (message for message in caplog.messages if "left out" in message)
    assert said.startswith("Outputs of the network pets are left out (")
    assert said.endswith(" bytes are more than the 65536 of a message): camera_process:=own has them")


def test_what_is_wrong_with_a_network_is_told_as_from_this_process(tmp_path: Path) -> None:
    wanted = settings(network=str(tmp_path / "missing.rpk"))
    with pytest.raises(SettingError) as here:
        Picamera2Source(wanted, FakeLibrary("imx500"), FakeClock())
    with pytest.raises(SettingError) as there:
        RemoteSource(wanted, WatchedWay(tmp_path / "fault", "imx500"))

    assert str(there.value) == str(here.value)

"""camera_node's topics, parameters, calibration and diagnostics, with a camera that the test holds in its hand."""

import threading
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from picam_webrtc.errors import SettingError
from picam_webrtc.ros import camera_node
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics import gated_publisher
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc.ros.topics.messages import stamp_of, time_message
from picam_webrtc.ros.topics.unlocked import publish_unlocked
from picam_webrtc_test.camera.calibrations import AS_CAMERA_CALIBRATION_WRITES_IT
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary
from picam_webrtc_test.camera.libcamera_tables import IMX708_CONTROLS
from picam_webrtc_test.ros.robot import SIZE, Robot, call_set_camera_info, robot, status_where
from picam_webrtc_test.ros.support import on_spin_thread, running_loop, wait_until


def test_image_camera_info_and_compressed_image_have_one_stamp() -> None:
    with robot() as one:
        images, infos = one.listen(Image, "image_raw"), one.listen(CameraInfo, "camera_info")
        compressed = one.listen(CompressedImage, "image_raw/compressed")
        one.next(images)
        one.next(infos)
        one.next(compressed)
        one.next(images)
        stamps = {stamp_of(image.header.stamp) for image in images}
        frame_ids = {message.header.frame_id for message in (images[-1], infos[-1], compressed[-1])}

        wait_until(lambda: stamp_of(compressed[-1].header.stamp) in stamps, "the compressed twin of an image")
        wait_until(lambda: stamp_of(infos[-1].header.stamp) in stamps, "the camera_info of an image")
        assert frame_ids == {"camera_optical_frame"}
        assert compressed[-1].format == "bgr8; jpeg compressed bgr8"
        decoded = cv2.imdecode(np.frombuffer(compressed[-1].data, np.uint8), cv2.IMREAD_COLOR)
        assert np.asarray(decoded).shape == (480, 640, 3)


def test_the_small_stream_has_topics_of_its_own() -> None:
    with robot("-p", "lores_width:=320", "-p", "lores_height:=240") as one:
        small, infos = one.listen(Image, "lores/image_raw"), one.listen(CameraInfo, "lores/camera_info")
        image, info = one.next(small), one.next(infos)

        assert (image.width, image.height, image.encoding) == (320, 240, "nv12")
        assert (info.width, info.height) == (320, 240)


def test_the_camera_is_open_only_while_somebody_listens() -> None:
    with robot() as one:
        assert one.device.calls == ["configure", "close"]  # it was asked for its controls
        messages = one.listen(CompressedImage, "image_raw/compressed")
        one.next(messages)
        on_spin_thread(one.runtime, lambda: one.listener.destroy_subscription(next(iter(one.listener.subscriptions))))

        wait_until(lambda: one.device.calls[-1] == "close" and "start" in one.device.calls, "the camera's end")


def test_every_control_is_a_parameter_with_description_type_and_range() -> None:
    with robot() as one:
        exposure = one.camera.describe_parameter("ExposureTime")
        gain = one.camera.describe_parameter("AnalogueGain")

        assert exposure.description == "exposure time [us]; 0 leaves it to auto-exposure"
        assert (exposure.integer_range[0].from_value, exposure.integer_range[0].to_value) == (0, 77208384)
        assert gain.floating_point_range[0].to_value == 16.0
        assert one.camera.describe_parameter("ColourTemperature").integer_range[0].to_value == 100000
        assert "1: AfModeAuto" in one.camera.describe_parameter("AfMode").description
        declared = [name for name in IMX708_CONTROLS if one.camera.has_parameter(name)]
        assert sorted(declared) == sorted(set(IMX708_CONTROLS) - {"ExposureTimeMode", "AnalogueGainMode"})


def test_a_control_changes_while_running() -> None:
    with robot() as one:
        images = one.listen(Image, "image_raw")
        one.next(images)
        assert one.set(Contrast=2.0)[0].successful
        one.next(images)

        wait_until(lambda: one._frame() and {"Contrast": 2.0} in one.device.told, "the control at the camera")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Contrast", 99.0, "range"),
        ("Contrast", "high", "type"),
        ("ExposureTime", 3, "must be from 9 to 77208384 (or 0: automatic)"),
        ("NoiseReductionMode", 5, "range"),
        ("AwbEnable", 1, "must be of type bool"),
        ("ColourTemperature", 99, "range"),
        ("ColourGains", [1.0, 99.0], "must be from 0 to 32"),
        ("ColourGains", [1.0], "must have 2 numbers"),
        ("jpeg_quality", 0, "range"),
    ],
)
def test_a_wrong_value_is_refused_with_a_reason_and_never_reaches_the_camera(
    name: str, value: object, reason: str
) -> None:
    with robot() as one:
        before = one.value(name)
        result = one.set(**{name: value})[0]

        assert not result.successful
        assert reason in result.reason
        assert one.value(name) == before
        assert one.device.told == []


def test_conflicting_controls_are_resolved_in_the_parameters_too() -> None:
    with robot() as one:
        assert one.set(ExposureTime=10000, AnalogueGain=2.0)[0].successful
        assert one.value("AeEnable") is False
        assert one.set(ColourGains=[1.5, 2.0])[0].successful
        assert one.set(AeEnable=True)[0].successful

        assert (one.value("ExposureTime"), one.value("AnalogueGain")) == (0, 0.0)
        assert one.value("ColourGains") == [1.5, 2.0]
        assert one.set(AwbEnable=True)[0].successful
        assert one.value("ColourGains") == []


def test_controls_given_at_the_start_are_set_when_the_camera_opens() -> None:
    with robot("-p", "ExposureTime:=5000", "-p", "AnalogueGain:=4.0", "-p", "ColourGains:=[1.5, 2.5]") as one:
        assert one.value("AeEnable") is False
        one.next(one.listen(Image, "image_raw"))
        controls = one.device.told[0]

        assert (controls["ExposureTime"], controls["AnalogueGain"]) == (5000, 4.0)
        assert controls["ColourGains"] == (1.5, 2.5)


def test_a_long_exposure_of_a_params_file_is_taken_at_a_low_frame_rate(tmp_path: Path) -> None:
    params = tmp_path / "slow.yaml"
    params.write_text("camera_node:\n  ros__parameters:\n    frame_rate: 5.0\n    ExposureTime: 150000\n")
    with robot("--params-file", str(params)) as one:
        one.next(one.listen(Image, "image_raw"))

        assert one.value("ExposureTime") == 150000
        assert one.device.ipa.state.exposure == 150000


def test_what_nobody_knows_is_not_set_and_can_be_left_to_the_camera_again() -> None:
    with robot() as one:
        assert (one.value("AwbEnable"), one.value("ColourTemperature"), one.value("AfTrigger")) == (None, None, None)
        assert one.value("NoiseReductionMode") == 1
        assert one.set(ColourTemperature=4000)[0].successful
        assert (one.value("AwbEnable"), one.value("ColourTemperature")) == (False, 4000)
        assert one.set(AwbEnable=True)[0].successful
        assert (one.value("AwbEnable"), one.value("ColourTemperature")) == (True, None)
        assert one.set(ColourTemperature=5000, ColourGains=[])[0].successful
        assert one.set(ColourTemperature=None)[0].successful  # as ros2 param delete does
        assert (one.value("AwbEnable"), one.value("ColourTemperature")) == (True, None)
        assert one.set(ColourTemperature=99)[0].reason.startswith("Parameter ColourTemperature out of range")


def test_an_empty_array_that_is_deleted_stays_a_parameter() -> None:
    with robot() as one:
        assert one.set(ColourGains=None)[0].successful
        assert one.value("ColourGains") in (None, [])
        assert one.camera.has_parameter("ColourGains")


def test_a_trigger_is_sent_whenever_it_is_set() -> None:
    with robot("-p", "AfMode:=1", "-p", "AfTrigger:=0") as one:
        images = one.listen(Image, "image_raw")
        one.next(images)
        assert one.set(AfTrigger=0)[0].successful
        one.next(images)
        one.next(images)

        wait_until(lambda: one._frame() and one.device.ipa.state.triggered == [("AfTrigger", 0)] * 2, "both triggers")


def test_controls_become_parameters_when_a_camera_opens_that_was_busy_at_the_start() -> None:
    library = FakeLibrary("imx708")
    library.error = RuntimeError("busy")
    arguments = ["-p", "source:=picamera2", "-p", "Contrast:=2.0", *SIZE]
    with Runtime(["test", "--ros-args", *arguments]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        run(camera_node.wire(stack, runtime, LocalTopics(), library))
        library.error = None
        runtime.spin()
        one = Robot(runtime, library.device)
        one.next(one.listen(Image, "image_raw"))
        wait_until(lambda: one.camera.has_parameter("Sharpness"), "the controls")
        wait_until(lambda: one._frame() and one.device.ipa.state.other.get("Contrast") == 2.0, "what was given")
        runtime.stop_spinning()
        run(stack.aclose())


def test_a_control_that_is_wrong_at_the_start_ends_the_node_with_its_name() -> None:
    with pytest.raises(SettingError, match="'ExposureTime' = 3: must be from 9"), robot("-p", "ExposureTime:=3"):
        pass


def test_a_camera_that_is_busy_at_the_start_costs_the_controls_only(capfd: pytest.CaptureFixture[str]) -> None:
    library = FakeLibrary("imx708")
    library.error = RuntimeError("busy")
    with Runtime(["test", "--ros-args", "-p", "source:=picamera2"]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        run(camera_node.wire(stack, runtime, LocalTopics(), library))
        run(stack.aclose())

    assert "controls are no parameters until it opens: " in capfd.readouterr().err


@pytest.fixture
def ros_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    (tmp_path / "camera_info").mkdir()
    return tmp_path


def calibrated_at(width: int) -> CameraInfo:
    return CameraInfo(
        width=width,
        height=width * 3 // 4,
        distortion_model="plumb_bob",
        d=[0.1, 0.2, 0.0, 0.0, 0.0],
        k=[width * 1.0, 0.0, width / 2, 0.0, width * 1.0, width / 3, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[width * 1.0, 0.0, width / 2, 0.0, 0.0, width * 1.0, width / 3, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def test_the_calibration_is_read_and_scaled_to_the_size_in_use(ros_home: Path) -> None:
    (ros_home / "camera_info" / "front.yaml").write_text(AS_CAMERA_CALIBRATION_WRITES_IT)
    with robot("-p", "camera_name:=front", "-p", "lores_width:=320", "-p", "lores_height:=240") as one:
        info = one.next(one.listen(CameraInfo, "camera_info"))
        small = one.next(one.listen(CameraInfo, "lores/camera_info"))

        assert (info.k[0], info.k[2], info.distortion_model) == (500.0, 320.0, "plumb_bob")
        assert (small.k[0], small.k[2], small.p[0]) == pytest.approx((250.0, 159.75, 245.0))
        assert list(small.d) == list(info.d) == [0.1, -0.2, 0.001, 0.002, 0.0]


@pytest.mark.parametrize(
    ("url", "content"), [("", None), ("", "broken: ["), ("http://x/y.yaml", None), ("package://no_such/c.yaml", None)]
)
def test_without_a_usable_calibration_it_publishes_uncalibrated(ros_home: Path, url: str, content: str | None) -> None:
    if content:
        (ros_home / "camera_info" / "camera.yaml").write_text(content)
    with robot("-p", f"camera_info_url:='{url}'") as one:
        info = one.next(one.listen(CameraInfo, "camera_info"))

        assert (info.k[0], list(info.d), info.width) == (0.0, [], 640)


def test_a_calibration_that_is_set_is_stored_and_used_at_once(ros_home: Path) -> None:
    with robot() as one:
        infos = one.listen(CameraInfo, "camera_info")
        one.next(infos)
        response = call_set_camera_info(one, calibrated_at(640))

        assert response.success, response.status_message
        assert one.next(infos).k[0] == 640.0
    with robot() as again:
        assert again.next(again.listen(CameraInfo, "camera_info")).k[0] == 640.0


def test_a_calibration_of_another_shape_is_refused_with_the_reason(ros_home: Path) -> None:
    wide = calibrated_at(1280)
    wide.height = 720
    with robot() as one:
        response = call_set_camera_info(one, wide)
        empty = call_set_camera_info(one, CameraInfo())

    assert not response.success
    assert "another shape than 640x480" in response.status_message
    assert not empty.success
    assert list((ros_home / "camera_info").iterdir()) == []


def test_diagnostics_tell_the_figures_of_the_camera() -> None:
    with robot() as one:
        reports = one.listen(DiagnosticArray, "/diagnostics")
        idle = status_where(one, reports, lambda status: "idle" in status.message)
        one.listen(Image, "image_raw")
        status = status_where(one, reports, lambda status: "Exposure time (us)" in [v.key for v in status.values])
        values = {value.key: value.value for value in status.values}

    assert (idle.level, idle.name) == (DiagnosticStatus.OK, "camera_node: frames")
    assert "imx708" in idle.hardware_id
    assert (values["Exposure time (us)"], values["Sensor temperature (°C)"]) == ("9000", "45.5")
    assert values["Target frequency (Hz)"] == "30.000"
    assert values["Minimum acceptable frequency (Hz)"] == "27.000"
    assert values["Maximum acceptable frequency (Hz)"] == "33.000"
    for key in ("Events in window", "Events since startup", "Duration of window (s)", "Actual frequency (Hz)"):
        assert float(values[key]) > 0, key
    assert {"Dropped frames", "Camera faults", "Stamp delay, mean (s)", "Stamp delay, maximum (s)"} <= set(values)


def test_diagnostics_warn_of_a_fault_then_report_an_error_and_recover() -> None:
    with robot("-p", "watchdog_timeout:=1.0") as one:
        reports = one.listen(DiagnosticArray, "/diagnostics")
        images = one.listen(Image, "image_raw")
        one.next(images)

        def faults() -> list[bytes]:
            return [report.status[0].level for report in reports if "no frame for" in report.status[0].message]

        wait_until(lambda: DiagnosticStatus.ERROR in faults(), "an ERROR", timeout_s=20)
        assert faults() == sorted(faults())
        assert faults()[0] == DiagnosticStatus.WARN
        one.next(images)
        count = len(reports)
        status_where(
            one, reports, lambda _: "no frame for" not in reports[-1].status[0].message and len(reports) > count
        )


def test_a_topic_that_does_not_get_on_holds_up_neither_the_camera_nor_its_other_topics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = threading.Event()

    def publish(publisher: Any, message: Any) -> None:
        if publisher.topic_name == "/image_raw":
            full.wait(10)
        publish_unlocked(publisher, message)

    monkeypatch.setattr(gated_publisher, "publish_unlocked", publish)
    with robot() as one:
        images, infos = one.listen(Image, "image_raw"), one.listen(CameraInfo, "camera_info")
        reports = one.listen(DiagnosticArray, "/diagnostics")
        wait_until(lambda: one._frame() and len(infos) > 30, "camera_info of thirty frames")
        assert not images

        report = status_where(
            one, reports, lambda status: values_of(status).get("/image_raw: dropped messages", "0") > "0"
        )
        full.set()

    assert values_of(report)["/camera_info: dropped messages"] == "0"
    assert values_of(report)["Handler errors"] == "0"


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


NS_PER_S = 1_000_000_000
SIMULATED_NS = 1_000 * NS_PER_S


def test_under_simulated_time_all_that_one_exposure_gives_has_one_stamp() -> None:
    with robot("-p", "use_sim_time:=true", "-p", "lores_width:=320", "-p", "lores_height:=240") as one:
        clock, ticks = one.listener.create_publisher(Clock, "/clock", 10), count(1)
        topics = [
            one.listen(message_type, f"{prefix}{name}")
            for prefix in ("", "lores/")
            for message_type, name in ((Image, "image_raw"), (CameraInfo, "camera_info"))
        ]

        def stamps_of_all() -> set[int]:
            return set.intersection(*({stamp_of(message.header.stamp) for message in got} for got in topics))

        def tick() -> bool:
            clock.publish(Clock(clock=time_message(SIMULATED_NS + next(ticks) * 7_654_321)))
            return one._frame()

        wait_until(lambda: tick() and len(stamps_of_all()) > 5, "exposures of which all topics tell")

    assert all(0 <= stamp_ns - SIMULATED_NS < NS_PER_S for stamp_ns in sorted(stamps_of_all())[-3:])

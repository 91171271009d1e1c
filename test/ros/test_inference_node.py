"""inference_node's topics, parameters and diagnostics, in the test's own process."""

import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String

from picam_webrtc.detection import Detections
from picam_webrtc.detection_json import detections_from_json
from picam_webrtc.frame import Frame
from picam_webrtc.inference.figures import Snapshot
from picam_webrtc.ros import inference_node
from picam_webrtc.ros.node.diagnostics import Input, inference_report
from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc.ros.topics.image_io import ImagePublisher, LocalTopics
from picam_webrtc.ros.topics.messages import stamp_of
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.made_models import Made, Recipe, made_model
from picam_webrtc_test.ros.support import on_spin_thread, running_loop, wait_until


def write_model(path: Path, class_id: int) -> str:
    """A model that finds one thing of that class, in the middle, with score 0.75."""
    rows = np.zeros((1, 4, 6))
    rows[0, 0] = (0.25, 0.25, 0.75, 0.75, 0.75, class_id)
    path.write_bytes(made_model(Recipe([Made(rows, "found")])))
    return str(path)


def frame(stamp_ns: int, width: int = 64, height: int = 64) -> Frame:
    return Frame(np.full((height, width, 3), 128, np.uint8), "bgr8", stamp_ns, "an_optical_frame")


class Robot:
    """A running inference_node, and a node that sends pictures and listens."""

    def __init__(self, runtime: Runtime, image_topics: tuple[str, ...]) -> None:
        self.runtime = runtime
        self.node = next(node for node in runtime.executor.get_nodes() if node.get_name() == "inference_node")
        self.other = runtime.node("other", Node)
        local = LocalTopics()
        self.cameras = [ImagePublisher(self.other, topic, local, lambda: None) for topic in image_topics]
        self.stamp_ns = 0

    def listen(self, message_type: type, topic: str) -> list[Any]:
        messages: list[Any] = []
        on_spin_thread(
            self.runtime,
            lambda: self.other.create_subscription(message_type, topic, messages.append, QoSProfile(depth=10)),
        )
        return messages

    def send(self) -> None:
        self.stamp_ns += 33_333_333
        for number, camera in enumerate(self.cameras):
            camera.publish(frame(self.stamp_ns, 64 >> number, 64 >> number))

    def next(self, messages: list[Any], fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message that fits, after pictures have been sent until one came."""
        count = len(messages)

        def sent_and_answered() -> bool:
            self.send()
            return any(fits(message) for message in messages[count:])

        wait_until(sent_and_answered, "a message")
        return next(message for message in messages[count:] if fits(message))

    def set(self, **values: Any) -> Any:
        """Set parameters in one go, as a parameter client does; the result."""
        results: list[Any] = []
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        on_spin_thread(self.runtime, lambda: results.append(self.node.set_parameters_atomically(parameters)))
        return results[0]


@contextmanager
def robot(*arguments: str, image_topics: tuple[str, ...] = ("image_raw",)) -> Iterator[Robot]:
    given = [part for argument in arguments for part in ("-p", argument)]
    with Runtime(["test", "--ros-args", *given]) as runtime, running_loop() as run:
        stack = AsyncExitStack()
        try:
            run(inference_node.wire(stack, runtime, LocalTopics()))
            made = Robot(runtime, image_topics)
            runtime.spin()
            yield made
        finally:
            runtime.stop_spinning()
            run(stack.aclose())


@pytest.fixture
def model(tmp_path: Path) -> str:
    return write_model(tmp_path / "one.tflite", 1)


def found(message: String) -> Detections:
    return detections_from_json(message.data)


def test_picture_and_detections_have_the_stamp_and_the_frame_id_of_their_source(model: str) -> None:
    with robot(f"model:={model}") as running:
        pictures, texts = running.listen(Image, "image_processed"), running.listen(String, "detections_json")
        picture = running.next(pictures)
        stamp_ns = stamp_of(picture.header.stamp)
        wait_until(lambda: any(found(text).stamp_ns == stamp_ns for text in texts), "the detections of the picture")
        detections = next(found(text) for text in texts if found(text).stamp_ns == stamp_ns)

    assert 0 < stamp_ns <= running.stamp_ns
    assert picture.header.frame_id == detections.frame_id == "an_optical_frame"
    assert [item.class_id for item in detections.items] == [1]
    assert detections.drawn
    assert set(picture.data) != {128}


def test_detections_alone_keep_the_model_running(model: str) -> None:
    with robot(f"model:={model}") as running:
        texts = running.listen(String, "detections_json")

        assert found(running.next(texts)).items


def test_parameters_change_what_is_found_and_shown_while_it_runs(model: str, tmp_path: Path) -> None:
    with robot(f"model:={model}") as running:
        pictures, texts = running.listen(Image, "image_processed"), running.listen(String, "detections_json")
        assert found(running.next(texts)).items

        assert running.set(threshold=0.8).successful
        running.next(texts, lambda text: not found(text).items)
        assert running.set(threshold=0.5, class_filter=["7"]).successful
        running.next(texts, lambda text: not found(text).items)
        assert running.set(class_filter=["1"], overlay=False).successful
        running.next(texts, lambda text: bool(found(text).items) and not found(text).drawn)
        running.next(pictures, lambda picture: set(picture.data) == {128})
        assert running.set(num_threads=2, model=write_model(tmp_path / "two.tflite", 5), class_filter=["5"]).successful
        running.next(texts, lambda text: [item.class_id for item in found(text).items] == [5])


def test_the_overlay_stays_a_topic_where_the_processed_picture_is_clean(model: str) -> None:
    with robot(f"model:={model}", "overlay:=false") as running:
        clean, drawn = running.listen(Image, "image_processed"), running.listen(Image, "image_overlay")

        picture = running.next(drawn, lambda picture: set(picture.data) != {128})
        wait_until(lambda: any(stamp_of(one.header.stamp) == stamp_of(picture.header.stamp) for one in clean), "it")

    assert all(set(one.data) == {128} for one in clean)


def test_a_model_that_does_not_load_is_refused_with_the_reason_and_the_old_one_goes_on(
    model: str, tmp_path: Path
) -> None:
    text_file = tmp_path / "text.tflite"
    text_file.write_text("no model")
    with robot(f"model:={model}") as running:
        texts = running.listen(String, "detections_json")
        for path, reason in ((str(text_file), "is not a TFLite model"), ("/no/such", "no such file")):
            result = running.set(model=path)
            assert not result.successful
            assert f"parameter 'model' = '{path}': {reason}" in result.reason

        assert [item.class_id for item in found(running.next(texts)).items] == [1]
        assert running.node.get_parameter("model").value == model


def test_a_model_that_is_not_enabled_finds_nothing_and_pictures_flow(model: str) -> None:
    with robot(f"model:={model}", "enabled:=false") as running:
        pictures, texts = running.listen(Image, "image_processed"), running.listen(String, "detections_json")
        for _ in range(3):
            assert set(running.next(pictures).data) == {128}

        assert not texts


def test_a_small_picture_is_looked_at_and_the_full_one_drawn_on(model: str) -> None:
    topics = ("image_raw", "lores/image_raw")
    with robot(f"model:={model}", "lores_topic:=lores/image_raw", image_topics=topics) as running:
        pictures, texts = running.listen(Image, "image_processed"), running.listen(String, "detections_json")
        picture, detections = running.next(pictures), found(running.next(texts))

    assert (picture.width, picture.height) == (64, 64)
    assert (detections.width, detections.height) == (64, 64)
    assert (detections.items[0].bbox.x0, detections.items[0].bbox.x1) == (16, 48)


def test_diagnostics_tell_the_model_and_how_fast_it_is(model: str) -> None:
    with robot(f"model:={model}") as running:
        running.listen(Image, "image_processed")
        reports = running.listen(DiagnosticArray, "/diagnostics")
        report = running.next(reports, lambda report: report.status[0].message == "detects")

    status = report.status[0]
    values = {pair.key: pair.value for pair in status.values}
    assert (status.name, status.level, status.hardware_id) == ("inference_node: inference", DiagnosticStatus.OK, "CPU")
    assert (values["Model"], values["Task"], values["Failed frames"]) == ("one", "yolo_end_to_end", "0")
    assert 0 < float(values["Inference, median (ms)"]) <= float(values["Inference, 95th percentile (ms)"])
    assert float(values["Actual frequency (Hz)"]) > 0
    assert int(values["Dropped frames"]) >= 0


def levels(reports: list[DiagnosticArray]) -> list[int]:
    return [int.from_bytes(report.status[0].level) for report in reports]


def test_a_subscriber_without_frames_is_a_warning_then_an_error(model: str) -> None:
    with robot(f"model:={model}", "silence_warning:=0.5", "silence_error:=2.0") as running:
        running.listen(Image, "image_processed")
        reports = running.listen(DiagnosticArray, "/diagnostics")
        wait_until(lambda: 2 in levels(reports), "the error")

    assert levels(reports) == sorted(levels(reports))
    assert 1 in levels(reports)
    assert re.fullmatch(r"no frames for \d s from /image_raw", reports[-1].status[0].message)


def test_a_small_topic_that_nobody_publishes_is_named(model: str) -> None:
    with robot(f"model:={model}", "silence_warning:=0.5", "lores_topic:=lores/image_raw") as running:
        running.listen(Image, "image_processed")
        reports = running.listen(DiagnosticArray, "/diagnostics")
        report = running.next(reports, lambda report: levels([report]) == [1])

    values = {pair.key: pair.value for pair in report.status[0].values}
    assert "nobody publishes /lores/image_raw" in report.status[0].message
    assert int(values["Unpaired frames"]) > 0
    assert values["/image_processed: dropped messages"] == "0"


SNAPSHOT = Snapshot("ssd", "ssd", True, 9, 0, 0, "", 9, 0.3, 30.0, 17.0, 20.0)


@pytest.mark.parametrize(
    ("values", "figures", "level", "message"),
    [
        ({}, SNAPSHOT, 0, "detects"),
        ({"transform": "none"}, SNAPSHOT, 0, "frames pass through: transform is none"),
        ({"enabled": False}, SNAPSHOT, 0, "frames pass through: not enabled"),
        ({}, {"running": False}, 0, "idle: nobody subscribes"),
        ({}, {"model": ""}, 1, "nothing is detected: no model has been fetched"),
        ({"model": "one"}, {"model": ""}, 1, "nothing is detected: the model one has not been fetched"),
        ({}, {"last_failure": "odd"}, 2, "frames pass through: odd"),
        ({"transform": "sensor"}, SNAPSHOT, 0, "detects"),
        ({"transform": "sensor"}, {"model": "", "running": False}, 0, "idle: nobody subscribes"),
        (
            {"transform": "sensor"},
            {"model": ""},
            1,
            "nothing is detected: no sensor_outputs have come; set camera_node's parameter network",
        ),
    ],
)
def test_the_report_judges(values: dict[str, object], figures: Any, level: int, message: str) -> None:
    snapshot = figures if isinstance(figures, Snapshot) else replace(SNAPSHOT, **figures)

    report = inference_report(InferenceSettings.from_values(values), snapshot, Input(("/image_raw",)))

    assert (report.level, report.message) == (level, message)


TWO = Input(("/lores/image_raw", "/image_raw"))


@pytest.mark.parametrize(
    ("values", "figures", "taken", "level", "message"),
    [
        ({}, {"silent_s": 1.9}, TWO, 0, "detects"),
        ({}, {"silent_s": 2.1}, TWO, 1, "no frames for 2 s from /lores/image_raw and /image_raw"),
        ({}, {"silent_s": 10.4}, TWO, 2, "no frames for 10 s from /lores/image_raw and /image_raw"),
        ({"silence_warning": 5.0}, {"silent_s": 4.0}, TWO, 0, "detects"),
        ({"silence_error": 3.0}, {"silent_s": 4.0}, TWO, 2, "no frames for 4 s from /lores/image_raw and /image_raw"),
        ({}, {"silent_s": 4.0, "usual_gap_s": 5.0}, TWO, 0, "detects"),
        (
            {},
            {"silent_s": 3.0},
            replace(TWO, unpublished=("/lores/image_raw",), unpaired=60),
            1,
            "no frames for 3 s: nobody publishes /lores/image_raw",
        ),
        (
            {},
            {"silent_s": 3.0},
            replace(TWO, unpaired=60),
            1,
            "no frames for 3 s: no two frames of /lores/image_raw and /image_raw have the same stamp",
        ),
        ({"transform": "none"}, {"silent_s": 3.0}, TWO, 1, "no frames for 3 s from /lores/image_raw and /image_raw"),
        ({}, {"silent_s": 3.0, "last_failure": "odd"}, TWO, 2, "frames pass through: odd"),
    ],
)
def test_the_report_tells_of_frames_that_do_not_come(
    values: dict[str, object], figures: dict[str, Any], taken: Input, level: int, message: str
) -> None:
    report = inference_report(InferenceSettings.from_values(values), replace(SNAPSHOT, **figures), taken)

    assert (report.level, report.message) == (level, message)
    assert report.values["Unpaired frames"] == str(taken.unpaired)


@pytest.mark.parametrize(("transform", "publishers"), [("none", 0), ("tflite", 1)])
def test_detections_are_offered_where_there_is_a_model_alone(model: str, transform: str, publishers: int) -> None:
    with robot(f"transform:={transform}", f"model:={model}") as running:
        wait_until(lambda: running.other.count_publishers("image_processed"), "the node is seen")

        assert running.other.count_publishers("detections_json") == publishers

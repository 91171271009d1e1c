"""The engine runs the newest frame, keeps the stamp, and changes its settings while it runs."""

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.errors import ImageError, ModelError, ModelNotFetched, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.engine import Engine, InferenceResult
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.labels import Labels
from picam_webrtc.models import stored_path
from picam_webrtc.settings import InferenceSettings

LIMIT_S = 10.0


class FakeDetector:
    """Finds one box wherever it looks, when it is let."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.labels = Labels({0: name})
        self.task_name = "fake_task"
        self.looking = threading.Event()
        self.let = threading.Event()
        self.let.set()
        self.seen: list[Frame] = []
        self.failure: Exception | None = None

    def detect(self, frame: Frame, settings: InferenceSettings, picture: Frame | None = None) -> Findings:
        self.seen.append(frame)
        self.looking.set()
        assert self.let.wait(LIMIT_S)
        if self.failure is not None:
            raise self.failure
        shown = picture or frame
        box = Detection(0, self.name, 0.9, BoundingBox(2, 2, 30, 30))
        return Findings(Detections(shown.stamp_ns, shown.frame_id, shown.width, shown.height, (box,)))


class Rig:
    """An engine with a fake detector, and its results in the order they come."""

    def __init__(self, **values: object) -> None:
        self.detectors = {"auto": FakeDetector("the default"), "other": FakeDetector("other")}
        self.loads: list[str] = []
        self.results: queue.Queue[InferenceResult] = queue.Queue()
        self.engine = Engine(InferenceSettings.from_values(values), self.results.put, self._load)

    def _load(self, settings: InferenceSettings) -> FakeDetector:
        self.loads.append(threading.current_thread().name)
        if settings.model == "not here" and "not here" not in self.detectors:
            raise ModelNotFetched("the model 'not here' has not been fetched; get it with: fetch")
        if settings.model not in self.detectors:
            raise SettingError("model", settings.model, "does not load")
        return self.detectors[settings.model]

    @property
    def detector(self) -> FakeDetector:
        return self.detectors["auto"]

    def next_result(self) -> InferenceResult:
        return self.results.get(timeout=LIMIT_S)


def frame(stamp_ns: int = 1, encoding: str = "bgr8") -> Frame:
    shapes = {"bgr8": (48, 64, 3), "nv12": (72, 64)}
    return Frame(np.zeros(shapes[encoding], np.uint8), encoding, stamp_ns, "a_frame")


def test_a_result_has_the_stamp_the_frame_id_and_the_detections_drawn_on_a_copy() -> None:
    rig, given = Rig(), frame(7)
    with rig.engine:
        rig.engine.put(given)
        result = rig.next_result()

    assert (result.frame.stamp_ns, result.frame.frame_id, result.frame.encoding) == (7, "a_frame", "bgr8")
    assert result.detections is not None
    assert result.detections.stamp_ns == 7
    assert result.inference_ns > 0
    assert result.frame.pixels.any()
    assert not given.pixels.any()


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    rig = Rig()
    rig.detector.let.clear()
    with rig.engine:
        rig.engine.put(frame(1))
        assert rig.detector.looking.wait(LIMIT_S)
        for stamp in range(2, 6):
            rig.engine.put(frame(stamp))
        rig.detector.let.set()
        stamps = [rig.next_result().frame.stamp_ns for _ in range(2)]
        figures = rig.engine.snapshot()

    assert stamps == [1, 5]
    assert figures.dropped == 3
    assert figures.frames == 2
    assert (figures.model, figures.task) == ("the default", "fake_task")
    assert 0 < figures.inference_ms_p50 <= figures.inference_ms_p95


def test_results_come_on_the_thread_infer_and_it_ends_with_the_engine() -> None:
    threads: queue.Queue[str] = queue.Queue()

    def on_result(result: InferenceResult) -> None:
        threads.put(threading.current_thread().name)

    with Engine(InferenceSettings(transform="none"), on_result) as engine:
        engine.put(frame())
        assert threads.get(timeout=LIMIT_S) == "infer"
    assert "infer" not in {thread.name for thread in threading.enumerate()}


def test_an_engine_starts_again_after_a_stop_without_loading_again() -> None:
    rig = Rig()
    for stamp in (1, 2):
        rig.engine.start()
        rig.engine.put(frame(stamp))
        assert rig.next_result().frame.stamp_ns == stamp
        rig.engine.stop()

    assert len(rig.loads) == 1


@pytest.mark.parametrize("values", [{"transform": "none"}, {"enabled": False}])
def test_no_frame_that_only_passes_is_lost_to_a_short_stall(values: dict[str, object]) -> None:
    stamps: queue.Queue[int] = queue.Queue()
    stalled, go_on = threading.Event(), threading.Event()

    def on_result(result: InferenceResult) -> None:
        stalled.set()
        assert go_on.wait(LIMIT_S)
        stamps.put(result.frame.stamp_ns)

    with Engine(InferenceSettings.from_values(values), on_result, load=lambda _: FakeDetector()) as engine:
        engine.put(frame(1))
        assert stalled.wait(LIMIT_S)
        for stamp in range(2, 10):
            engine.put(frame(stamp))
        go_on.set()
        assert [stamps.get(timeout=LIMIT_S) for _ in range(9)] == list(range(1, 10))
        assert engine.snapshot().dropped == 0


@pytest.mark.parametrize("values", [{"transform": "none"}, {"enabled": False}])
def test_frames_pass_through_untouched_when_no_model_is_wanted(values: dict[str, object]) -> None:
    rig, given = Rig(**values), frame(encoding="nv12")
    with rig.engine:
        rig.engine.put(given)
        result = rig.next_result()

    assert result.frame is given
    assert result.detections is None
    assert not rig.detector.seen


def test_without_overlay_the_picture_stays_as_it_came() -> None:
    rig, given = Rig(overlay=False), frame(encoding="nv12")
    with rig.engine:
        rig.engine.put(given)
        result = rig.next_result()

    assert result.frame is given
    assert result.detections is not None


def test_what_cannot_be_drawn_on_is_converted_once_and_shown_as_bgr8() -> None:
    rig = Rig()
    with rig.engine:
        rig.engine.put(frame(encoding="nv12"))
        result = rig.next_result()

    assert result.frame.encoding == "bgr8"
    assert result.frame.pixels.shape == (48, 64, 3)
    assert rig.detector.seen[0].encoding == "bgr8"


def test_a_small_frame_is_looked_at_and_the_large_one_drawn_on() -> None:
    rig, small = Rig(), Frame(np.zeros((12, 16, 3), np.uint8), "bgr8", 3, "a_frame")
    with rig.engine:
        rig.engine.put(small, frame(3))
        result = rig.next_result()

    assert rig.detector.seen == [small]
    assert (result.frame.width, result.frame.height) == (64, 48)


def test_a_known_model_that_is_not_here_costs_one_warning_and_frames_flow(caplog: pytest.LogCaptureFixture) -> None:
    rig, given = Rig(model="not here"), frame()
    with rig.engine:
        for _ in range(3):
            rig.engine.put(given)
            assert rig.next_result().frame is given

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("Nothing is detected and frames pass through unchanged: the model 'not here'")


def test_a_missing_model_is_told_of_once_however_often_the_engine_starts(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(model="not here")
    for _ in range(3):
        with rig.engine:
            pass

    assert caplog.text.count("Nothing is detected") == 1


def test_a_model_that_is_fetched_later_is_found_at_the_next_start() -> None:
    rig = Rig(model="not here")
    with rig.engine:
        pass
    rig.detectors["not here"] = FakeDetector("now here")
    with rig.engine:
        assert rig.engine.snapshot().model == "now here"


def test_other_parameters_change_while_the_model_is_missing() -> None:
    rig = Rig(model="not here")
    with rig.engine:
        rig.engine.apply(replace(rig.engine.settings, threshold=0.7))
        assert rig.engine.settings.threshold == 0.7
        with pytest.raises(SettingError, match="parameter 'model' = 'broken'"):
            rig.engine.check(replace(rig.engine.settings, model="broken"))


def test_a_pause_is_neither_a_low_rate_nor_forgotten_drops() -> None:
    rig = Rig()
    rig.detector.let.clear()
    with rig.engine:
        rig.engine.put(frame(1))
        assert rig.detector.looking.wait(LIMIT_S)
        rig.engine.put(frame(2))
        rig.engine.put(frame(3))
        rig.detector.let.set()
        rig.next_result()
        rig.next_result()
    stopped = rig.engine.snapshot()
    with rig.engine:
        started = rig.engine.snapshot()

    assert (stopped.running, stopped.dropped, stopped.window_frames) == (False, 1, 2)
    assert (started.running, started.dropped, started.window_frames, started.frames) == (True, 1, 0, 2)


def test_a_model_that_does_not_load_ends_the_start() -> None:
    rig = Rig(model="broken")
    with pytest.raises(SettingError, match="parameter 'model' = 'broken'"):
        rig.engine.start()

    rig.engine.stop()


def test_the_log_tells_of_the_model_once_and_of_every_frame(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "picam_webrtc")
    rig = Rig()
    with rig.engine:
        for stamp in (1_000_000_000, 2_000_000_000):
            rig.engine.put(frame(stamp))
            rig.next_result()

    assert [record.getMessage() for record in caplog.records] == [
        "Using tfLite model for transformation",
        "Processed and created new video frame at pts: 90000",
        "Processed and created new video frame at pts: 180000",
    ]


def test_a_frame_that_cannot_be_used_passes_through_and_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    with rig.engine:
        for failure in (ImageError("odd"), ImageError("odd"), ModelError("worse"), None):
            rig.detector.failure = failure
            rig.engine.put(frame())
            assert (rig.next_result().detections is None) == (failure is not None)
        figures = rig.engine.snapshot()

    complaints = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert complaints == ["Frames pass through unchanged: odd", "Frames pass through unchanged: worse"]
    assert (figures.failures, figures.last_failure) == (3, "")


def test_a_callback_that_fails_loses_its_frame_only(caplog: pytest.LogCaptureFixture) -> None:
    stamps: queue.Queue[int] = queue.Queue()

    def on_result(result: InferenceResult) -> None:
        stamps.put(result.frame.stamp_ns)
        if result.frame.stamp_ns == 1:
            raise RuntimeError("the publisher is gone")

    with Engine(InferenceSettings(transform="none"), on_result) as engine:
        for stamp in (1, 2):
            engine.put(frame(stamp))
            assert stamps.get(timeout=LIMIT_S) == stamp

    assert "A frame of 1 ns was lost" in caplog.text


def test_a_threshold_changes_without_loading() -> None:
    rig = Rig()
    with rig.engine:
        rig.engine.apply(replace(rig.engine.settings, threshold=0.7))

    assert rig.engine.settings.threshold == 0.7
    assert len(rig.loads) == 1


def test_a_model_is_loaded_by_check_on_the_calling_thread_and_swapped_by_apply() -> None:
    rig = Rig()
    with rig.engine:
        wanted = replace(rig.engine.settings, model="other")
        rig.engine.check(wanted)
        assert rig.engine.labels.names == {0: "the default"}
        rig.engine.apply(wanted)
        rig.engine.put(frame())
        result = rig.next_result()

    assert result.detections is not None
    assert result.detections.items[0].label == "other"
    assert rig.loads == [threading.current_thread().name] * 2
    assert rig.engine.labels.names == {0: "other"}


@pytest.mark.parametrize("name", ["broken", "not here"])
def test_a_model_that_does_not_load_is_refused_and_the_old_one_goes_on(name: str) -> None:
    rig = Rig()
    with rig.engine:
        with pytest.raises(SettingError, match=f"parameter 'model' = '{name}'"):
            rig.engine.check(replace(rig.engine.settings, model=name))
        rig.engine.put(frame())
        result = rig.next_result()

    assert result.detections is not None
    assert rig.engine.settings.model == "auto"


def test_without_the_best_model_the_face_detector_runs_and_the_log_says_why(
    fetched: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = fetched("face_detection")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stored_path("face_detection").parent.mkdir(parents=True)
    shutil.copy(model, stored_path("face_detection"))

    with Engine(InferenceSettings(), lambda _: None) as engine:
        assert engine.snapshot().model == "face_detection"
    assert "ssd_mobilenet_v2 has not been fetched; using face_detection" in caplog.text


def test_the_default_model_runs_end_to_end(fetched: Callable[[str], Path], picture: Callable[[str], Frame]) -> None:
    fetched("ssd_mobilenet_v2")
    results: queue.Queue[InferenceResult] = queue.Queue()
    with Engine(InferenceSettings(), results.put) as engine:
        engine.put(picture("chelsea.png"))
        detections = results.get(timeout=LIMIT_S).detections

    assert detections is not None
    assert [found.label for found in detections.items] == ["Cat"]

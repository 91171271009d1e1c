"""The interpreter's door: which runtime, how it refuses, what a run gives."""

import builtins
import ctypes
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference import model as model_module
from picam_webrtc.inference.detector import load_model
from picam_webrtc.inference.model import Model, default_threads
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.made_models import Made, Recipe, made_metadata, made_model

SCORES = [Made(np.array([[0.25, 0.75]]), "scores")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "made.tflite"
    made.write_bytes(made_model(Recipe(SCORES)))
    return made


def importing_without(*missing: str) -> Callable[..., Any]:
    original = builtins.__import__

    def find(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] in missing:
            raise ImportError(f"No module named '{name}'")
        return original(name, *arguments, **options)

    return find


def test_without_a_runtime_the_error_names_both_and_the_command(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__import__", importing_without("ai_edge_litert", "tflite_runtime"))

    with pytest.raises(ModelError, match=r"ai_edge_litert .* tflite_runtime .* python3 -m pip install ai-edge-litert"):
        Model(path)


def test_a_fallback_that_cannot_work_with_this_numpy_is_not_tried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__import__", importing_without("ai_edge_litert"))
    monkeypatch.setattr(np, "__version__", "2.4.6")

    with pytest.raises(ModelError, match=r"tflite_runtime \(it needs numpy < 2, and this is 2\.4\.6\)"):
        Model(path)


def test_the_fallback_is_used_where_there_is_no_litert(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter

    monkeypatch.setattr(builtins, "__import__", importing_without("ai_edge_litert"))
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)

    assert Model(path).run()[0].tolist() == [[0.25, 0.75]]


def test_outputs_are_real_numbers_and_can_be_had_again(path: Path) -> None:
    model = Model(path)

    for _ in range(3):
        (scores,) = model.run()
        assert scores.tolist() == [[0.25, 0.75]]
        del scores


def test_threads_leave_room_for_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((None, 1), (1, 1), (2, 1), (4, 2), (6, 3), (64, 4)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert default_threads() == threads


def test_a_delegate_that_does_not_load_is_refused_as_the_parameter_it_is(path: Path) -> None:
    with pytest.raises(SettingError, match=r"parameter 'delegate' = 'libnone.so': does not load .*delegate_fallback"):
        load_model(InferenceSettings(model=str(path), delegate="libnone.so"))


def test_a_delegate_may_fall_back_to_the_processor(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = InferenceSettings(model=str(path), delegate="libnone.so", delegate_fallback=True)

    assert load_model(settings).task_name == "classification"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("Inference runs on the CPU: parameter 'delegate' = 'libnone.so'")


@pytest.mark.parametrize("option", ["device", "=usb", ""])
@pytest.mark.parametrize("fallback", [False, True])
def test_delegate_options_are_pairs(path: Path, option: str, fallback: bool) -> None:
    settings = InferenceSettings(
        model=str(path), delegate="libnone.so", delegate_options=(option,), delegate_fallback=fallback
    )
    with pytest.raises(SettingError, match=r"parameter 'delegate_options' = .*must be key=value"):
        load_model(settings)


def test_a_delegate_gets_its_options(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def load(library: str, options: dict[str, str]) -> None:
        asked.append((library, options))
        raise ValueError("no such device")

    interpreter, _ = model_module._runtime()
    monkeypatch.setattr(model_module, "_runtime", lambda: (interpreter, load))
    monkeypatch.setattr(ctypes, "CDLL", str)

    with pytest.raises(SettingError, match="no such device"):
        load_model(
            InferenceSettings(model=str(path), delegate="libedge.so.1", delegate_options=("device=usb:0", "a=b=c"))
        )
    assert asked == [("libedge.so.1", {"device": "usb:0", "a": "b=c"})]


def test_a_huge_input_works_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.tflite"
    path.write_bytes(made_model(Recipe(SCORES, (1, 4096, 4096, 3))))
    settings = InferenceSettings(model=str(path))

    findings = load_model(settings).detect(Frame(np.zeros((72, 128, 3), np.uint8), "bgr8", 1, ""), settings)

    assert [found.class_id for found in findings.detections.items] == [1]


def test_normalisation_comes_from_the_parameters_then_the_metadata_then_the_task(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "made.tflite"
    frame = Frame(np.full((8, 8, 3), 100, np.uint8), "bgr8", 1, "")
    for metadata, values, wanted in (
        (b"", {}, (100 - 127.5) / 127.5),
        (made_metadata(("scores",), (50.0,), (10.0,)), {}, 5.0),
        (made_metadata(("scores",), (50.0,), (10.0,)), {"input_mean": 20.0, "input_std": 40.0}, 2.0),
    ):
        path.write_bytes(made_model(Recipe(SCORES, metadata=metadata)))
        settings = InferenceSettings.from_values({"model": str(path), **values})
        detector = load_model(settings)
        detector.detect(frame, settings)
        assert detector._model.input_view()[0, 0, 0, 0] == pytest.approx(wanted)

    assert caplog.text.count("does not say how its input is normalised") == 1

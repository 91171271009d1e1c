"""A model that is missing, damaged or not understood, and a machine without a runtime."""

import shutil
from pathlib import Path

import pytest

from picam_webrtc import models
from picam_webrtc.doctor.children import Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, Level
from picam_webrtc.doctor.model import children, model_and_runtime
from picam_webrtc.models import fetch, stored_path
from picam_webrtc_test.doctor.support import diagnose

FETCH = "-m picam_webrtc.models fetch"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def face_detection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real model, alone in a cache."""
    fetch("face_detection")
    real = stored_path("face_detection")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stored_path("face_detection").parent.mkdir(parents=True)
    return Path(shutil.copy(real, stored_path("face_detection")))


def test_no_model_is_told_with_the_command_that_brings_one(empty_cache: Path) -> None:
    found = diagnose()["model"]

    assert found.level is Level.WARNING  # everything starts, and passes frames through
    assert found.found == "no model has been fetched: nothing is detected"
    assert found.remedy.endswith(FETCH)


def test_a_model_that_was_asked_for_by_name_has_to_be_there(empty_cache: Path) -> None:
    diagnosis = diagnose("--model=selfie_segmentation")

    assert diagnosis.exit_code == 1
    assert diagnosis["model"].level is Level.BROKEN
    assert diagnosis["model"].remedy.endswith(f"{FETCH} selfie_segmentation")


def test_the_one_that_is_there_in_the_place_of_the_best_is_loaded_and_told(face_detection: Path) -> None:
    found = diagnose()["model"]

    assert found.level is Level.OK
    assert found.found.startswith("face_detection, since ssd_mobilenet_v2 has not been fetched; it loads ")


def test_a_damaged_model_is_to_be_fetched_again(face_detection: Path) -> None:
    face_detection.write_bytes(face_detection.read_bytes()[:-1])

    (found,) = lines_about("model", "face_detection", {})

    assert found.level is Level.BROKEN
    assert "is damaged" in found.found
    assert found.remedy.endswith(f"{FETCH} face_detection")


def test_a_file_that_is_no_model_is_told_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "picture.tflite"
    file.write_bytes(b"GIF89a" * 10)

    found = diagnose(f"--model={file}")["model"]

    assert found.level is Level.BROKEN
    assert "is not a TFLite model" in found.found
    assert "model:=" in found.remedy


def test_a_path_where_there_is_nothing_is_told() -> None:
    (found,) = lines_about("model", "/no/such.tflite", {})

    assert found.level is Level.BROKEN
    assert "no such file" in found.found
    assert ".tflite" in found.remedy


def test_without_a_runtime_nothing_is_detected_and_the_model_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, face_detection: Path
) -> None:
    monkeypatch.setattr("picam_webrtc.doctor.model.is_there", lambda _: False)

    assert children("auto") == []
    (runtime,) = lines_about("TFLite runtime", "auto", {})
    (model,) = lines_about("model", "auto", {})

    assert runtime.level is Level.BROKEN
    assert "ai-edge-litert" in runtime.found
    assert "'ai-edge-litert>=2.1.6'" in runtime.remedy
    assert model.level is Level.WARNING


def test_a_runtime_that_crashes_is_to_be_installed_anew() -> None:
    ((runtime, *_),) = children(models.AUTO)

    (found,) = lines_about("TFLite runtime", "auto", {runtime: Answer(error="it crashes (SIGILL)")})

    assert found.level is Level.BROKEN
    assert "it crashes (SIGILL)" in found.found
    assert "--force-reinstall 'ai-edge-litert>=2.1.6'" in found.remedy


def lines_about(check: str, model: str, answers: Answers) -> list[Finding]:
    known: dict[Step, Answer] = {step: Answer("") for child in children(model) for step in child}
    return [one for one in model_and_runtime({**known, **answers}, model) if one.check == check]

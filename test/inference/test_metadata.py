"""What a model file says of itself is read; what it garbles costs a warning, never the node."""

import contextlib
import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.inference.detector import load_model
from picam_webrtc.inference.metadata import BrokenMetadata, check_whole, parse_metadata, read_metadata
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.made_models import Made, Recipe, made_metadata, made_model, zipped

SCORES = [Made(np.array([[0.1, 0.9]]), "scores")]
COMPLETE = Recipe(
    SCORES,
    metadata=made_metadata(("probability",), (127.5, 120.0, 110.0), (128.0, 60.0, 50.0), "labels.txt"),
    appended={"labels.txt": "cat\ndog\n", "other.txt": "not these\n"},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.tflite"


def test_normalisation_names_and_labels_are_read(path: Path) -> None:
    path.write_bytes(made_model(COMPLETE))

    metadata = read_metadata(path)

    assert metadata.mean == (127.5, 120.0, 110.0)
    assert metadata.std == (128.0, 60.0, 50.0)
    assert metadata.output_names == ("probability",)
    assert metadata.labels is not None
    assert metadata.labels.names == {0: "cat", 1: "dog"}


def test_a_model_without_metadata_says_nothing(path: Path) -> None:
    path.write_bytes(made_model(Recipe(SCORES)))

    metadata = read_metadata(path)

    assert (metadata.mean, metadata.output_names, metadata.labels, metadata.task) == ((), (), None, "")


def test_the_only_text_file_appended_has_the_labels_though_nothing_names_it(path: Path) -> None:
    path.write_bytes(made_model(Recipe(SCORES, appended={"labelmap.txt": "cat\ndog\n"})))

    metadata = read_metadata(path)

    assert metadata.labels is not None
    assert metadata.labels.names == {0: "cat", 1: "dog"}


ULTRALYTICS = {"task": "classify", "imgsz": [32, 32], "names": {"0": "cat", "1": "dog"}}


@pytest.mark.parametrize(
    "appended",
    [
        {"metadata.json": json.dumps(ULTRALYTICS)},
        {"temp_meta.txt": "{'task': 'classify', 'imgsz': [32, 32], 'names': {0: 'cat', 1: 'dog'}}"},
    ],
    ids=["JSON", "Python literal"],
)
def test_ultralytics_appends_its_own(path: Path, appended: dict[str, str]) -> None:
    path.write_bytes(made_model(Recipe(SCORES, appended=appended)))

    metadata = read_metadata(path)

    assert metadata.task == "classification"
    assert metadata.labels is not None
    assert metadata.labels.names == {0: "cat", 1: "dog"}


BROKEN = {
    "another flatbuffer": made_model(Recipe(SCORES, metadata=b"\x10\0\0\0M999" + bytes(16))),
    "cut metadata": made_model(Recipe(SCORES, metadata=made_metadata(("probability",), (1.0,), (2.0,))[:40])),
    "an archive cut in two": made_model(Recipe(SCORES)) + zipped({"labels.txt": "cat\n" * 1000})[20:],
    "a literal that is none": made_model(Recipe(SCORES, appended={"temp_meta.txt": "{'names': os.system('ls')}"})),
    "labels that are binary": made_model(Recipe(SCORES, appended={"labels.txt": b"\0\1\2"})),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_model_with_broken_metadata_runs_without(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content)

    detector = load_model(InferenceSettings(model=str(path)))

    assert detector.task_name == "classification"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"The metadata of {path} is not used: ")


@pytest.mark.parametrize("kept", [0, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_model_is_refused(path: Path, kept: float) -> None:
    whole = made_model(Recipe(SCORES))
    path.write_bytes(whole[: int(kept * len(whole))])

    with pytest.raises(SettingError, match=r"parameter 'model' = .*(is not a TFLite model|does not load)"):
        load_model(InferenceSettings(model=str(path)))


@pytest.mark.parametrize("kept", [0.001, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999])
def test_a_real_model_that_is_cut_short_is_found_out_before_any_runtime_sees_it(
    fetched: Callable[[str], Path], path: Path, kept: float
) -> None:
    whole = fetched("face_detection").read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])

    with pytest.raises(BrokenMetadata):
        check_whole(path)


@pytest.mark.parametrize("content", [b"", b"not a model\n" * 1000, b"\x1c\0\0\0TFL3" + bytes(1000)])
def test_a_file_that_is_no_model_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(SettingError, match=r"parameter 'model' = .*(is not a TFLite model|does not load)"):
        load_model(InferenceSettings(model=str(path)))


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no such file; give the path"):
        load_model(InferenceSettings(model=str(tmp_path)))


VALID = made_model(COMPLETE)


def parse(content: bytes) -> None:
    with contextlib.suppress(BrokenMetadata):
        parse_metadata(content)


@given(st.binary(max_size=400))
def test_any_bytes_are_metadata_or_broken(content: bytes) -> None:
    parse(b"\x10\0\0\0TFL3" + content)


@given(st.lists(st.tuples(st.integers(8, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_damage_to_a_model_is_metadata_or_broken(damage: list[tuple[int, int]]) -> None:
    content = bytearray(VALID)
    for place, byte in damage:
        content[place] = byte
    parse(bytes(content))


@given(st.integers(0, len(VALID)))
def test_any_part_of_a_model_is_metadata_or_broken(kept: int) -> None:
    parse(VALID[:kept])


@given(st.integers(8, len(VALID) // 4 - 1), st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4]))
@example(2, 2**32 - 1)
def test_any_offset_that_leads_astray_is_metadata_or_broken(word: int, offset: int) -> None:
    content = bytearray(VALID)
    struct.pack_into("<I", content, 4 * word, offset)
    parse(bytes(content))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=30))
def test_any_damage_to_the_appended_archive_is_metadata_or_broken(path: Path, place: int, junk: bytes) -> None:
    archive = zipped({"labels.txt": "cat\ndog\n", "metadata.json": json.dumps(ULTRALYTICS)})
    place %= len(archive)
    path.write_bytes(made_model(Recipe(SCORES)) + archive[:place] + junk + archive[place + len(junk) :])
    with contextlib.suppress(ModelError):
        read_metadata(path)

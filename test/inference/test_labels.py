"""Names of classes are read from whatever a label file may be."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.inference.detector import load_model
from picam_webrtc.inference.labels import COCO_GAPS, MAX_LABEL_BYTES, Labels, parse_labels
from picam_webrtc.settings import InferenceSettings
from picam_webrtc_test.inference.made_models import Made, Recipe, made_model

FORMATS = {
    "a name a line": "cat\nfire hydrant\ndog\n",
    "blank lines at the end": "cat\nfire hydrant\ndog\n\n\n",
    "Windows line ends": "cat\r\nfire hydrant\r\ndog\r\n",
    "number space name": "0 cat\n1 fire hydrant\n2 dog\n",
    "numbers set in columns": "  0  cat\n  1  fire hydrant\n  2  dog\n",
    "number colon name": "0:cat\n1: fire hydrant\n2 : dog\n",
    "number comma name": "0,cat\n1,fire hydrant\n2,dog\n",
    "numbers in any order": "2 dog\n0 cat\n1 fire hydrant\n",
    "JSON list": '["cat", "fire hydrant", "dog"]',
    "JSON object": '{"0": "cat", "1": "fire hydrant", "2": "dog"}',
    "JSON object inside": '{"names": {"0": "cat", "1": "fire hydrant", "2": "dog"}, "nc": 3}',
    "JSON labels inside": '{"labels": ["cat", "fire hydrant", "dog"]}',
    "Ultralytics data file": "path: coco\nnames:\n  0: cat\n  1: fire hydrant\n  2: dog\n\ndownload: none\n",
    "Ultralytics list": "nc: 3\nnames:\n  - cat\n  - fire hydrant\n  - dog\n",
    "Ultralytics inline list": "nc: 3\nnames: ['cat', 'fire hydrant', \"dog\"]\n",
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_usual_format_is_read_in_every_usual_encoding(text: str, encoding: str) -> None:
    labels = parse_labels(text.encode(encoding), "labels.txt")

    assert labels.names == {0: "cat", 1: "fire hydrant", 2: "dog"}


def test_a_label_map_of_the_object_detection_api_counts_from_one() -> None:
    text = 'item {\n  id: 1\n  name: \'cat\'\n}\nitem { name: "/m/0" id: 3 display_name: "fire hydrant" }\n'

    assert parse_labels(text.encode(), "map.pbtxt").names == {0: "???", 1: "cat", 3: "fire hydrant"}


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "crème brûlée"), ("latin-1", "crème brûlée"), ("utf-16", "咖啡")]
)
def test_names_beyond_ascii_survive(encoding: str, name: str) -> None:
    assert parse_labels(f"cat\n{name}\n".encode(encoding), "labels.txt").names[1] == name


def test_names_that_begin_with_a_digit_are_names_unless_all_lines_are_numbered() -> None:
    assert parse_labels(b"7 up\ncola\n", "labels.txt").names == {0: "7 up", 1: "cola"}


def test_gaps_keep_their_numbers() -> None:
    assert parse_labels(b"cat\n\ndog\n", "labels.txt").names == {0: "cat", 2: "dog"}
    assert parse_labels(b"1 cat\n90 dog\n", "labels.txt").names == {1: "cat", 90: "dog"}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [(b"\x1c\0\0\0TFL3\0\0", "binary content"), (b"x" * (MAX_LABEL_BYTES + 1), "too many for a label file")],
)
def test_what_is_no_label_file_is_refused_by_name(data: bytes, complaint: str) -> None:
    with pytest.raises(ModelError, match=f"odd.txt .*{complaint}"):
        parse_labels(data, "odd.txt")


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b'{"0": ' * 50_000)
@example(b"names:")
@example(b"item {}")
@example(b"\xff\xfe\x00")
def test_any_bytes_are_labels_or_a_clear_error(data: bytes) -> None:
    try:
        labels = parse_labels(data, "any.txt")
    except ModelError:
        return
    assert all(isinstance(number, int) and number >= 0 and name for number, name in labels.names.items())


@given(st.text(max_size=200))
def test_any_text_is_labels(text: str) -> None:
    if "\0" not in text:
        parse_labels(text.encode(errors="replace"), "any.txt")


names = st.text(st.characters(categories=["L"]), min_size=1, max_size=10)


@given(st.lists(names, min_size=1, max_size=20))
def test_all_formats_say_the_same(given_names: list[str]) -> None:
    wanted = dict(enumerate(given_names))
    numbered = "\n".join(f"{number} {name}" for number, name in wanted.items())

    assert parse_labels("\n".join(given_names).encode(), "a").names == wanted
    assert parse_labels(numbered.encode(), "b").names == wanted
    assert parse_labels(json.dumps(given_names).encode(), "c").names == wanted
    assert parse_labels(json.dumps(wanted).encode(), "d").names == wanted


def test_a_class_without_a_name_goes_by_its_number() -> None:
    assert Labels({0: "cat"}).name(7) == "7"


@pytest.mark.parametrize("background", ["???", "background", "__background__", "Background"])
def test_a_background_line_goes_when_the_model_does_not_count_it(background: str) -> None:
    labels = Labels({0: background, 1: "cat", 2: "dog"})

    assert labels.fitted(2).names == {0: "cat", 1: "dog"}
    assert labels.fitted(0).names == {0: "cat", 1: "dog"}
    assert labels.fitted(3).names == {0: background, 1: "cat", 2: "dog"}


def test_a_file_that_counts_from_one_is_moved_to_zero() -> None:
    assert Labels({1: "cat", 2: "dog"}).fitted(2).names == {0: "cat", 1: "dog"}


def test_eighty_names_of_coco_are_spread_over_ninety_numbers_and_back() -> None:
    eighty = Labels({number: f"name {number}" for number in range(80)})

    ninety = eighty.fitted(90)

    assert ninety.names[0] == "name 0"
    assert ninety.names[12] == "name 11"
    assert ninety.names[89] == "name 79"
    assert not {gap - 1 for gap in COCO_GAPS} & set(ninety.names)
    assert ninety.fitted(80).names == eighty.names


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "made.tflite"
    path.write_bytes(made_model(Recipe([Made(np.array([[0.1, 0.9]]), "scores")])))
    return path


def labels_of(**values: object) -> dict[int, str]:
    return dict(load_model(InferenceSettings.from_values(values)).labels.names)


def test_a_text_file_beside_the_model_names_its_classes(model: Path) -> None:
    model.with_suffix(".txt").write_text("cat\ndog\n")

    assert labels_of(model=str(model)) == {0: "cat", 1: "dog"}


def test_a_label_file_overrides_the_one_beside(model: Path, tmp_path: Path) -> None:
    model.with_suffix(".txt").write_text("cat\ndog\n")
    other = tmp_path / "other.names"
    other.write_text("chat\nchien\n")

    assert labels_of(model=str(model), labels=str(other)) == {0: "chat", 1: "chien"}


def test_a_label_file_that_is_not_there_is_refused_as_the_parameter_it_is(model: Path) -> None:
    with pytest.raises(SettingError, match=r"parameter 'labels' = '/no/labels.txt': cannot be read: No such file"):
        labels_of(model=str(model), labels="/no/labels.txt")


def test_a_model_given_as_label_file_is_refused_as_the_parameter_it_is(model: Path) -> None:
    with pytest.raises(SettingError, match=r"parameter 'labels' = .*binary content; give a text file"):
        labels_of(model=str(model), labels=str(model))

"""The command that tries a model on pictures."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from picam_webrtc.detection_json import detections_from_json
from picam_webrtc.inference.__main__ import main, read_picture
from picam_webrtc_test.inference.made_models import Made, Recipe, made_model
from picam_webrtc_test.inference.pictures import PICTURES

CAT, CUP = str(PICTURES / "chelsea.png"), str(PICTURES / "coffee.png")
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "made.tflite"
    path.write_bytes(made_model(Recipe([Made(np.array([[0.25, 0.75]]), "scores")])))
    path.with_suffix(".txt").write_text("night\nday\n")
    return str(path)


def test_the_default_model_names_what_is_in_a_picture(fetched: Callable[[str], Path]) -> None:
    fetched("ssd_mobilenet_v2")

    done = subprocess.run(
        [sys.executable, "-m", "picam_webrtc.inference", "ssd_mobilenet_v2", CAT, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    (line,) = done.stdout.splitlines()
    detections = detections_from_json(line)
    assert [found.label for found in detections.items] == ["Cat"]
    assert (detections.width, detections.height, detections.frame_id) == (451, 300, CAT)


def test_pictures_are_told_of_in_their_order(model: str, capsys: Printed) -> None:
    assert main([model, CAT, CUP]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{CAT}: 451x300, ")
    assert lines[1] == "  day 0.75 at 0,0 451x300"
    assert lines[2].startswith(f"{CUP}: 600x400, ")


def test_parameters_of_the_node_are_options(model: str, capsys: Printed) -> None:
    assert main([model, CAT, "--json", "--threshold", "0.1", "--class-filter", "night", "--class-filter", "7"]) == 0

    message = json.loads(capsys.readouterr().out)
    assert [found["label"] for found in message["detections"]] == ["night"]


def test_what_is_found_is_drawn_and_saved(model: str, tmp_path: Path, capsys: Printed) -> None:
    saved = tmp_path / "out.png"

    assert main([model, CAT, "--save", str(saved), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["drawn"] is True
    assert not np.array_equal(read_picture(saved).pixels, read_picture(Path(CAT)).pixels)


def test_several_pictures_are_saved_under_names_of_their_own(model: str, tmp_path: Path) -> None:
    assert main([model, CAT, CUP, "--save", str(tmp_path / "out.png")]) == 0

    assert (tmp_path / "out-chelsea.png").is_file()
    assert (tmp_path / "out-coffee.png").is_file()


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, 1), (np.uint16, 3), (np.uint8, 1), (np.uint8, 4)])
@pytest.mark.parametrize("side", [1, 50])
def test_deep_grey_and_transparent_pictures_are_pictures(
    model: str, tmp_path: Path, dtype: type[np.generic], channels: int, side: int
) -> None:
    image = tmp_path / "odd.png"
    cv2.imwrite(str(image), np.full((side, side, channels), np.iinfo(dtype).max // 2, dtype))  # type: ignore[type-var]

    assert main([model, str(image)]) == 0


def test_a_picture_that_cannot_be_used_does_not_stop_the_others(model: str, tmp_path: Path, capsys: Printed) -> None:
    text, empty, missing = tmp_path / "text.png", tmp_path / "empty.png", tmp_path / "missing.png"
    text.write_text("no picture")
    empty.write_bytes(b"")

    assert main([model, str(text), str(empty), str(missing), CAT]) == 1

    printed = capsys.readouterr()
    assert printed.out.startswith(CAT)
    complaints = printed.err.splitlines()
    assert [line.split(": ", 1)[1].removeprefix(f"{tmp_path}/") for line in complaints] == [
        "text.png is no picture that OpenCV can read",
        "empty.png is no picture that OpenCV can read",
        "missing.png cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("name", "remedy"), [("out.xyz", "ends in .png or .jpg"), ("no/such/out.png", "is the folder")]
)
def test_a_place_that_cannot_be_written_is_named(
    model: str, tmp_path: Path, capsys: Printed, name: str, remedy: str
) -> None:
    assert main([model, CAT, "--save", str(tmp_path / name)]) == 1
    assert remedy in capsys.readouterr().err


def test_a_file_that_is_no_model_ends_in_one_line(tmp_path: Path, capsys: Printed) -> None:
    text = tmp_path / "text.tflite"
    text.write_text("no model")

    assert main([str(text), CAT]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1

"""The table of conventions is the one list of tasks: the parameter and the page have just these."""

import re
from pathlib import Path

from picam_webrtc.inference.tasks import CONVENTIONS
from picam_webrtc.settings import InferenceSettings

PAGE = Path(__file__).parents[2] / "docs" / "detections.md"


def test_the_parameter_chooses_among_all_conventions() -> None:
    (task,) = (one for one in InferenceSettings.declarations() if one.name == "task")

    assert task.param.choices[0] == "auto"
    assert sorted(task.param.choices[1:]) == sorted(CONVENTIONS)


def test_the_page_about_detections_has_all_conventions() -> None:
    table = PAGE.read_text().partition("| task | outputs |")[2].partition("\n\n")[0]

    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(CONVENTIONS)

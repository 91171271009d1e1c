"""What is documented is what is there."""

import re
import sys
from pathlib import Path

import pytest

from picam_webrtc.ros.launching import NODE_PARAMETERS

ROOT = Path(__file__).parents[1]
PAGES = [Path("README.md"), *(path.relative_to(ROOT) for path in sorted(ROOT.glob("docs/*.md")))]
README = (ROOT / "README.md").read_text()


def test_the_readmes_parameter_tables_are_those_of_the_settings_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from parameter_tables import with_tables  # type: ignore[import-not-found]

    assert with_tables(README) == README, "run: python docs/parameter_tables.py"
    sys.modules.pop("parameter_tables")


def test_the_readme_names_the_node_parameters_that_are_launch_arguments() -> None:
    _, _, after = README.partition("These go to the nodes: ")

    assert re.findall(r"`(\w+)`", after.partition(". ")[0]) == list(NODE_PARAMETERS)


def test_the_page_about_scale_is_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from scale_model import page_with_tables  # type: ignore[import-not-found]

    page = (ROOT / "docs" / "scale.md").read_text()
    assert page_with_tables(page) == page, "run: python docs/scale_model.py"
    sys.modules.pop("scale_model")


def test_the_gate_runs_the_readmes_test_command() -> None:
    assert "\nmake test " in README
    assert "exec make test\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / page).read_text())

    assert [link for link in links if not (ROOT / page.parent / link).exists()] == []

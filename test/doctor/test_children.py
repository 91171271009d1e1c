"""Whatever a foreign module does to its process, the doctor has an answer for each step."""

from pathlib import Path

import pytest

from picam_webrtc.doctor.children import Answer, Step, start
from picam_webrtc.doctor.finding import PATIENCE
from picam_webrtc_test.doctor.support import module

PATIENCE_S = 60.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def imports(*names: str) -> list[Step]:
    return [Step("import_module", name) for name in names]


def answers_of(*names: str, timeout_s: float = PATIENCE_S) -> list[Answer]:
    steps = imports(*names)
    answers = start([steps], timeout_s)()
    return [answers[step] for step in steps]


def test_a_module_tells_its_version_whatever_it_prints(site: Path) -> None:
    module(site, "chatty", "print('{\"value\": 1}'); import os; os.write(1, b'noise'); __version__ = '1.2'")

    assert answers_of("chatty") == [Answer("1.2")]


def test_what_an_import_raises_is_told_in_one_line(site: Path) -> None:
    module(site, "broken", "raise ImportError('this is\\n  wrong')")
    module(site, "leaving", "raise SystemExit('goodbye')")

    assert [one.error for one in answers_of("broken", "leaving")] == [
        "ImportError: this is wrong",
        "SystemExit: goodbye",
    ]


def test_a_crash_is_told_of_the_module_that_crashes(site: Path) -> None:
    for name in ("fine", "fine_too"):
        module(site, name)
    module(site, "crashing", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    assert answers_of("fine", "crashing", "fine_too") == [
        Answer(""),
        Answer(error="it crashes (SIGSEGV)"),
        Answer(error="not tried, since crashing came to no end", untold="mend crashing first"),
    ]


def test_a_module_that_ends_the_process_is_told_so(site: Path) -> None:
    module(site, "ending", "import os; os._exit(3)")

    assert answers_of("ending") == [Answer(error="it ends the process (exit code 3)")]


def test_what_hangs_costs_the_time_limit_and_is_unknown(site: Path) -> None:
    module(site, "fine")
    module(site, "hanging", "import signal; signal.pause()")

    module(site, "fine_too")

    first, hanging, last = answers_of("fine", "hanging", "fine_too", timeout_s=3.0)

    assert first == Answer("")
    assert last == Answer(error="not tried, since hanging gave no answer in time", untold=PATIENCE)
    assert hanging == Answer(error="no answer in time", untold=PATIENCE)


def test_children_do_not_wait_for_each_other(site: Path) -> None:
    module(site, "hanging", "import signal; signal.pause()")
    module(site, "fine")

    answers = start([imports("hanging"), imports("fine")], 3.0)()

    assert answers[Step("import_module", "fine")] == Answer("")


def test_another_python_that_does_not_start_is_told(tmp_path: Path) -> None:
    step = Step("cameras", python=str(tmp_path / "python3"))

    assert start([[step]], PATIENCE_S)()[step].error.startswith(f"{tmp_path}/python3 does not start: ")

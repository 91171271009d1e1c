"""A start that goes wrong in somebody else's package is one line; a fault of ours keeps its traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from picam_webrtc_test.doctor.support import ROOT, module

START = """
import sys
from picam_webrtc import entry
entry.EXECUTABLES["record"] = "started"
entry.dependencies.NEEDS = {}
sys.exit(entry.run("record"))
"""


def start(folder: Path, program: str, code: str) -> subprocess.CompletedProcess[str]:
    """`program` is what a module of ours has in it."""
    module(folder, "picam_webrtc_started", f"__name__ = 'picam_webrtc.started'\n{program}")
    module(folder, "aiortc", code, "aiortc-1.15.0.dist-info")
    started = START.replace("started", "picam_webrtc_started")
    path = os.pathsep.join(map(str, [folder, ROOT]))
    return subprocess.run(
        [sys.executable, "-c", started], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import aiortc", "raise ImportError('libsrtp is\\n missing')", "libsrtp is missing"),
        ("import aiortc", "import no_such_module", "No module named 'no_such_module'"),
        ("from aiortc import RTCBundlePolicy", "", "cannot import name 'RTCBundlePolicy' from 'aiortc'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_with_what_it_says(
    tmp_path: Path, program: str, code: str, said: str
) -> None:
    ended = start(tmp_path, program, code)

    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"record: aiortc cannot be imported: {said}")
    assert line.endswith(f"; {sys.executable} -m picam_webrtc.doctor tells what to do")
    assert ended.returncode == 1


def test_a_fault_of_our_own_keeps_its_traceback(tmp_path: Path) -> None:
    ended = start(tmp_path, "from picam_webrtc.errors import NoSuchError", "")

    assert "Traceback" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("ImportError: cannot import name 'NoSuchError' from 'picam_webrtc")


def test_a_node_with_such_a_package_starts_with_that_line(tmp_path: Path) -> None:
    site = module(tmp_path, "aiortc", "raise ImportError('odd')", "aiortc-1.15.0.dist-info")
    path = os.pathsep.join(map(str, [site, ROOT]))

    ended = subprocess.run(
        [sys.executable, "-m", "picam_webrtc", "webrtc_node"], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    (line,) = ended.stderr.splitlines()
    assert line.startswith("webrtc_node: aiortc cannot be imported: odd; ")

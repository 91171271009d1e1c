"""Trees of Debian releases in which install.sh has installed the package: made once, shared by all tests."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import ROOT, NodeProcess, ros_arguments

SCRIPTS = ROOT / "test" / "install"
TREES = Path(os.environ.get("PICAM_WEBRTC_TREES") or Path.home() / ".cache" / "picam_webrtc" / "trees")
MAKING_TIMEOUT_S = 900  # two to three minutes on a machine of its own
COMMAND_TIMEOUT_S = 110


@cache
def tree_of(suite: str) -> Path:
    """The tree of that Debian release, made where it is missing or of other files than today's."""
    if os.geteuid() != 0:
        pytest.skip("not root: a Debian tree cannot be made")
    subprocess.run([str(SCRIPTS / "make-tree"), suite, str(TREES / suite)], check=True, timeout=MAKING_TIMEOUT_S)
    return TREES / suite


def command_in(tree: Path, *command: str) -> list[str]:
    return [str(SCRIPTS / "enter-tree"), str(tree), *command]


def run_in(tree: Path, *command: str) -> str:
    """What a command in the tree prints. It has to succeed."""
    done = subprocess.run(command_in(tree, *command), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def process_in(
    tree: Path,
    command: Sequence[str],
    parameters: Mapping[str, ParameterValue],
    *more: str,
    environment: Mapping[str, str] = {},
) -> Iterator[NodeProcess]:
    """A running executable of ours in the tree."""
    process = NodeProcess(command_in(tree, *command, *ros_arguments(parameters, *more)), environment)
    try:
        yield process
    finally:
        process.stop()

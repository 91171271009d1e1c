"""Packages that are too old, broken, or do not fit together: each line names the remedy."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from picam_webrtc.doctor.children import Answer
from picam_webrtc.doctor.finding import PATIENCE, Level
from picam_webrtc.doctor.packages import children, packages
from picam_webrtc_test.doctor.support import diagnose, module

OPENCV_FOR_NUMPY_1 = "opencv-python-headless==4.8.0.76"
"""The last but one that was built for numpy 1; it has a wheel for every Python."""
BROKEN_AIORTC = "raise ImportError(\"cannot import name 'RTCBundlePolicy'\")"


def test_an_aiortc_whose_import_fails_is_to_be_installed_anew(tmp_path: Path) -> None:
    site = module(tmp_path, "aiortc", BROKEN_AIORTC, "aiortc-1.16.0.dist-info")

    diagnosis = diagnose(before=[site])

    found = diagnosis["aiortc"]
    assert diagnosis.exit_code == 1
    assert found.level is Level.BROKEN
    assert found.found.startswith("1.16.0 cannot be used: ImportError: cannot import name 'RTCBundlePolicy'")
    assert "-m pip install --force-reinstall 'aiortc<1.17,>=1.14'" in found.remedy


def test_a_version_that_is_too_old_is_told_with_the_one_that_is_needed(tmp_path: Path) -> None:
    site = module(tmp_path, "aiortc", BROKEN_AIORTC, "aiortc-1.6.0.dist-info")

    found = diagnose(before=[site])["aiortc"]

    assert found.level is Level.BROKEN
    assert found.found == "1.6.0 is too old (1.14 or later, before 1.17 is needed); it is for webrtc_node"
    assert found.remedy.endswith("-m pip install 'aiortc<1.17,>=1.14'")


def test_an_opencv_of_the_system_is_asked_for_its_version(tmp_path: Path) -> None:
    """apt's OpenCV has nothing beside it that tells."""
    site = module(tmp_path, "cv2", "__version__ = '4.5.1'")

    found = diagnose(before=[site])["opencv-python-headless"]

    assert found.found.startswith("4.5.1 is too old (4.6 or later is needed)")


def test_what_is_optional_breaks_nothing(tmp_path: Path) -> None:
    site = module(tmp_path, "simplejpeg", "raise ImportError('odd')", "simplejpeg-1.9.0.dist-info")

    assert diagnose(before=[site])["simplejpeg"].level is Level.WARNING


def test_on_a_machine_that_is_too_slow_for_the_time_limit_nothing_is_said_to_be_ok() -> None:
    steps = [step for child in children() for step in child]

    found = list(packages(dict.fromkeys(steps, Answer(error="no answer in time", untold=PATIENCE))))

    assert {one.level for one in found} == {Level.UNKNOWN}
    assert all("no answer in time" in one.found and one.remedy == PATIENCE for one in found)


@pytest.fixture(scope="module")
def opencv_for_numpy_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real one, in a folder of its own."""
    if importlib.metadata.version("numpy").startswith("1."):
        pytest.skip("this environment has numpy 1, with which it fits")
    folder = tmp_path_factory.mktemp("opencv")
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, OPENCV_FOR_NUMPY_1], check=True)
    return folder


def test_an_opencv_that_was_built_for_numpy_1_is_told_from_a_broken_one(opencv_for_numpy_1: Path) -> None:
    diagnosis = diagnose(before=[opencv_for_numpy_1])

    found = diagnosis["numpy with OpenCV"]
    assert diagnosis.exit_code == 1
    assert found.level is Level.BROKEN
    assert found.found.startswith(
        f"OpenCV was built for numpy 1, and this is numpy {importlib.metadata.version('numpy')} "
    )
    assert "'numpy<2'" in found.remedy
    assert "opencv-python-headless" not in diagnosis.checks, "one thing that is wrong is one line"

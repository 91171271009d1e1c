"""The versions that are promised are those that the gate installs: the lowest in one environment, pins in others."""

import re
from pathlib import Path

import pytest

from picam_webrtc.dependencies import DEPENDENCIES, Dependency, fits, release

ROOT = Path(__file__).parents[1]
LOWEST = ROOT / "test" / "constraints" / "lowest.txt"
PINNED = sorted((ROOT / "resource" / "constraints").glob("numpy*.txt"))

every_dependency = pytest.mark.parametrize("dependency", DEPENDENCIES, ids=lambda one: one.distribution)


def pins(file: Path) -> dict[str, str]:
    found = re.findall(r"^([^#\s]+)==(\S+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@every_dependency
def test_the_lowest_version_that_is_allowed_is_the_one_that_tests_run_with(dependency: Dependency) -> None:
    lowest, installed = release(dependency.minimum), release(pins(LOWEST)[dependency.distribution])
    assert release(".".join(map(str, installed[:3]))) == lowest  # a wheel of OpenCV has a fourth number, its own


@every_dependency
@pytest.mark.parametrize("file", PINNED, ids=lambda file: file.name)
def test_what_is_installed_by_default_is_allowed(dependency: Dependency, file: Path) -> None:
    assert fits(dependency, pins(file)[dependency.distribution])


def test_there_is_a_file_for_each_generation_of_numpy() -> None:
    assert [pins(file)["numpy"].split(".")[0] for file in PINNED] == ["1", "2"]

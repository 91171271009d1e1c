"""Nobody compiles on a robot: every package that install.sh pins has a wheel for 64-bit ARM, and they fit each other.

A dry run of pip as on that machine; nothing is installed.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parents[2] / "resource" / "constraints"
OLDEST_GLIBC = 17
"""2.17, from which on manylinux wheels are named after their glibc (PEP 600)."""

ROBOTS = {
    "Debian 12, Raspberry Pi OS Bookworm": ("numpy1.txt", "3.11", 36),
    "Ubuntu 24.04": ("numpy1.txt", "3.12", 39),
    "another Python 3.11 with numpy 2": ("numpy2.txt", "3.11", 36),
    "another Python 3.12 with numpy 2": ("numpy2.txt", "3.12", 39),
    "Debian 13, Raspberry Pi OS Trixie": ("numpy2.txt", "3.13", 41),
    "Ubuntu 26.04": ("numpy2.txt", "3.14", 43),
}
"""Machine → its constraints, its Python, and its glibc 2.x. There is no Python 3.13 with numpy 1: that has no wheel."""


def requirements(file: str, machine: Mapping[str, str]) -> list[str]:
    """The pins of a constraints file that are meant for that machine, as name==version."""
    lines = [Requirement(line) for line in (CONSTRAINTS / file).read_text().splitlines() if not line.startswith("#")]
    return [f"{line.name}{line.specifier}" for line in lines if line.marker is None or line.marker.evaluate(machine)]


def metadata(pins: Sequence[str], python: str, glibc: int) -> dict[str, Mapping[str, Any]]:
    """Pin → metadata (PEP 566 as JSON) of the wheel that pip would install there. Fails where a wheel is missing."""
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(OLDEST_GLIBC, glibc + 1)]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps",
        "--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms,
        "--platform=manylinux2014_aarch64", "--target=unused", "--report=-", *pins,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    found = [package["metadata"] for package in json.loads(done.stdout)["install"]]
    by_name = {canonicalize_name(package["name"]): package for package in found}
    return {pin: by_name[canonicalize_name(pin.split("==")[0])] for pin in pins}


@pytest.fixture(scope="module")
def resolve() -> Callable[[str, str, int, Mapping[str, str]], list[Mapping[str, Any]]]:
    """What a constraints file brings. Most pins are the same in both files: each is asked for once a Python."""
    known: dict[str, dict[str, Mapping[str, Any]]] = {}

    def resolved(file: str, python: str, glibc: int, machine: Mapping[str, str]) -> list[Mapping[str, Any]]:
        pins, of_python = requirements(file, machine), known.setdefault(python, {})
        of_python.update(metadata([pin for pin in pins if pin not in of_python], python, glibc))
        return [of_python[pin] for pin in pins]

    return resolved


@pytest.mark.parametrize(("file", "python", "glibc"), ROBOTS.values(), ids=list(ROBOTS))
def test_every_pin_has_a_wheel_and_every_requirement_of_one_is_a_pin_that_fits(
    resolve: Callable[[str, str, int, Mapping[str, str]], list[Mapping[str, Any]]], file: str, python: str, glibc: int
) -> None:
    machine = {
        "platform_machine": "aarch64", "platform_system": "Linux", "sys_platform": "linux", "os_name": "posix",
        "python_version": python, "python_full_version": f"{python}.0", "extra": "",
    }  # fmt: skip
    packages = resolve(file, python, glibc, machine)
    versions = {canonicalize_name(package["name"]): package["version"] for package in packages}

    for package in packages:
        for text in package.get("requires_dist", []):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(machine):
                version = versions.get(canonicalize_name(requirement.name))
                assert version is not None, f"{package['name']} needs {text}, and {file} does not pin it"
                assert requirement.specifier.contains(version), f"{package['name']} needs {text}, {file} has {version}"

"""Which versions install.sh asks pip for: the system's own where they fit, and else what the tests ran with."""

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CONSTRAINTS = Path(__file__).parents[2] / "resource" / "constraints"
CHOICE: Mapping[str, Any] = runpy.run_path(str(CONSTRAINTS / "for_this_system.py"))

BOOKWORM = {
    "numpy": "1.24.2", "av": "10.0.0", "aiohttp": "3.8.4", "yarl": "1.8.2", "pyyaml": "6.0",
    "prometheus-client": "0.16.0", "cryptography": "38.0.4",
}  # fmt: skip
NOBLE = {"numpy": "1.26.4", "av": "11.0.0", "aiohttp": "3.9.1", "yarl": "1.9.4", "cryptography": "41.0.7"}
TRIXIE = {
    "numpy": "2.2.4", "av": "14.2.0", "aiohttp": "3.11.16", "yarl": "1.18.3", "aiosignal": "1.3.2",
    "prometheus-client": "0.21.1", "cryptography": "43.0.0",
}  # fmt: skip
"""Of these packages, what the release has (packages.debian.org, packages.ubuntu.com)."""


def chosen(system: Mapping[str, str]) -> dict[str, str]:
    return dict(CHOICE["constraints"](pins(CHOICE["generation"](system)), system))


def pins(file: str) -> dict[str, str]:
    return dict(CHOICE["pins"](CONSTRAINTS / file))


@pytest.mark.parametrize(("system", "numpy"), [(BOOKWORM, "1.24.2"), (NOBLE, "1.26.4"), (TRIXIE, "2.2.4")])
def test_the_systems_numpy_is_never_replaced(system: Mapping[str, str], numpy: str) -> None:
    assert chosen(system)["numpy"] == numpy


@pytest.mark.parametrize("system", [BOOKWORM, NOBLE])
def test_beside_numpy_1_nothing_asks_for_numpy_2(system: Mapping[str, str]) -> None:
    assert chosen(system)["ml_dtypes"] == "0.5.4"  # 0.6 requires numpy >= 2
    assert chosen(system)["opencv-python-headless"] == "4.11.0.86"  # the last whose wheel allows numpy 1


def test_a_machine_without_numpy_gets_what_the_tests_ran_with() -> None:
    assert chosen({}) == pins("numpy2.txt")


def test_what_the_system_has_too_old_is_pinned() -> None:
    assert {name: chosen(BOOKWORM)[name] for name in BOOKWORM} == {
        **{name: version for name, version in pins("numpy1.txt").items() if name in BOOKWORM},
        "numpy": "1.24.2",
        "pyyaml": "6.0",
    }


def test_a_system_whose_aiohttp_is_new_enough_keeps_it_with_what_it_stands_on() -> None:
    versions = chosen(TRIXIE)

    assert {name: versions[name] for name in ("aiohttp", "yarl", "aiosignal", "av")} == {
        "aiohttp": "3.11.16", "yarl": "1.18.3", "aiosignal": "1.3.2", "av": "14.2.0",
    }  # fmt: skip
    assert versions["multidict"] == pins("numpy2.txt")["multidict"]


def test_what_an_old_aiohttp_stands_on_is_replaced_with_it() -> None:
    assert chosen(NOBLE)["yarl"] == pins("numpy1.txt")["yarl"]


@pytest.mark.parametrize("system", [BOOKWORM, NOBLE, TRIXIE])
def test_cryptography_is_what_aiortc_needs(system: Mapping[str, str]) -> None:
    assert chosen(system)["cryptography"] == pins("numpy1.txt")["cryptography"]


def test_every_pin_is_of_one_exact_version() -> None:
    for file in CONSTRAINTS.glob("*.txt"):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]

        assert len(pins(file.name)) == len(lines) == len({line.split("==")[0].lower() for line in lines})

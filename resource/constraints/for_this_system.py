"""Prints pip's constraints for this very system: what it has and is new enough stays, everything else is pinned.

Run by the system's interpreter before anything is installed: `python3 -s for_this_system.py`. With -s, packages in the
user's home do not count; whatever is printed here outvotes them in an environment of its own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent
Versions = Mapping[str, str]
"""Name of a package → version."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A system's own package stays from `least` on, and then `dependencies`, which fit it, stay as well."""

    least: tuple[int, ...]
    dependencies: tuple[str, ...] = ()


KEPT: Mapping[str, Kept] = {
    # The system's OpenCV, cv_bridge, Picamera2 and simplejpeg are compiled for the system's numpy.
    "numpy": Kept((1, 24)),
    "simplejpeg": Kept((1, 7)),
    # Picamera2 uses the same one.
    "av": Kept((14, 2)),
    "aiohttp": Kept(
        (3, 11, 16),
        ("aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "idna", "multidict", "propcache", "yarl"),
    ),
    "ifaddr": Kept((0, 2)),
    "prometheus_client": Kept((0, 19)),
    "PyYAML": Kept((6, 0)),
}


def pins(file: Path) -> dict[str, str]:
    """What a constraints file pins."""
    return dict(re.findall(r"^([^#\s]+)==([^\s;]+)", file.read_text(), re.MULTILINE))


def installed(names: Iterator[str]) -> dict[str, str]:
    """Which of them this interpreter has."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def generation(system: Versions) -> str:
    """The constraints file for the system's numpy; numpy 2 where there is none."""
    return "numpy1.txt" if system.get("numpy", "2").startswith("1.") else "numpy2.txt"


def constraints(pinned: Versions, system: Versions) -> dict[str, str]:
    """`pinned`, with the system's own versions in place of those that stay."""
    stay = {
        name: system[name]
        for leader, kept in KEPT.items()
        if leader in system and _numbers(system[leader]) >= kept.least
        for name in (leader, *kept.dependencies)
        if name in system
    }
    return {**pinned, **{name: stay[name] for name in pinned if name in stay}}


def _numbers(text: str) -> tuple[int, ...]:
    """Of the release: (3, 11, 16) of 3.11.16+ds."""
    release = re.match(r"[\d.]*", text)
    return tuple(int(number) for number in release[0].strip(".").split(".")) if release and release[0] else ()


def main() -> None:
    names = {name for file in HERE.glob("numpy*.txt") for name in pins(file)}
    system = installed(iter(sorted(names)))
    for name, wanted in constraints(pins(HERE / generation(system)), system).items():
        print(f"{name}=={wanted}")


if __name__ == "__main__":
    main()

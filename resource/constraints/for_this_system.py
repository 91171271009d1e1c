"""Prints pip's constraints for this very system: what it has and is new enough stays, everything else is pinned.

Run by the system's interpreter before anything is installed: `python3 -s for_this_system.py`. With -s, packages in the
user's home do not count; whatever is printed here outvotes them in an environment of its own.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from runpy import run_path

HERE = Path(__file__).parent
Versions = Mapping[str, str]
"""Name of a package → version."""

TABLE = run_path(str(HERE.parents[1] / "picam_webrtc" / "dependencies.py"))
"""Which versions of what we use work; the package itself cannot be imported yet."""

KEPT: Mapping[str, tuple[str, ...]] = {
    # The system's OpenCV, cv_bridge, Picamera2 and simplejpeg are compiled for the system's numpy.
    "numpy": (),
    "simplejpeg": (),
    # Picamera2 uses the same one.
    "av": (),
    "aiohttp": ("aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "idna", "multidict", "propcache", "yarl"),
    "ifaddr": (),
    "prometheus-client": (),
    "pyyaml": (),
}
"""What stays where the system has a version of it that works → what it stands on and fits, which then stays as well."""


def pins(file: Path) -> dict[str, str]:
    """What a constraints file pins."""
    return dict(re.findall(r"^([^#\s]+)==([^\s;]+)", file.read_text(), re.MULTILINE))


def installed(names: Iterable[str]) -> dict[str, str]:
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
    works = {
        one.distribution
        for one in TABLE["DEPENDENCIES"]
        if one.distribution in system and TABLE["fits"](one, system[one.distribution])
    }
    staying = {name for leader in KEPT.keys() & works for name in (leader, *KEPT[leader])}
    return {name: system[name] if name in staying and name in system else pin for name, pin in pinned.items()}


def main() -> None:
    names = {name for file in HERE.glob("numpy*.txt") for name in pins(file)}
    system = installed(names)
    for name, wanted in constraints(pins(HERE / generation(system)), system).items():
        print(f"{name}=={wanted}")


if __name__ == "__main__":
    main()

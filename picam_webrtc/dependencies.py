"""Every third-party package that we use: which versions work, what needs it, and how to get it.

setup.py and the start of every executable read the one table here. It imports the standard library alone, and runs on
Python 3.9 too: whoever has one that is too old is to be told so. ROS comes from elsewhere and is not in the table.
"""

from __future__ import annotations  # for Pythons that are too old for the rest

import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

MINIMUM_PYTHON = (3, 11)


class Use(Enum):
    """What a dependency is for."""

    EVERYTHING = "every node"
    PICTURES = "camera_node, inference_node and webrtc_node"
    WEB = "webrtc_node"
    MODEL = "running a model"
    BAGS = "source:=bag, and recording where there is no rosbag2"
    JPEG = "image_raw/compressed at less CPU"
    ROS = "every node, with ROS 2"


OPTIONAL = frozenset({Use.BAGS, Use.JPEG})
"""What the pipeline works without."""


@dataclass(frozen=True)
class Dependency:
    """A package as its registry calls it, and the `module` that it brings.

    Versions from `minimum` on work, up to but without `below` where that is set. `extra` is its extra in setup.py; ""
    is for what is always installed. `also` are other packages with the same module; `instead` is another module that
    will do. `apt` is Debian's and Ubuntu's package, "" where they have none.
    """

    distribution: str
    module: str
    minimum: str
    use: Use
    apt: str = ""
    extra: str = ""
    below: str = ""
    also: tuple[str, ...] = ()
    instead: str = ""

    @property
    def requirement(self) -> str:
        """As pip and setup.py take it."""
        limit = f"<{self.below}," if self.below else ""
        return f"{self.distribution}{limit}>={self.minimum}"


DEPENDENCIES: Sequence[Dependency] = (
    # Up to 3.10.7 it hands yarl a host with its port, which yarl refuses since 1.13.
    Dependency("aiohttp", "aiohttp", "3.10.8", Use.WEB, "python3-aiohttp"),
    # The first with all of rtp that we send by. Members of it that are not public are used: a new one has to be tried.
    Dependency("aiortc", "aiortc", "1.14", Use.WEB, "python3-aiortc", below="1.17"),
    # aiortc asks for it; the first with VideoCodecContext, a writable profile and from_numpy_buffer is 13.1.
    Dependency("av", "av", "14", Use.PICTURES, "python3-av"),
    # aiortc asks for it.
    Dependency("cryptography", "cryptography", "44", Use.WEB, "python3-cryptography"),
    Dependency("ifaddr", "ifaddr", "0.2", Use.WEB, "python3-ifaddr"),
    Dependency("numpy", "numpy", "1.24.2", Use.EVERYTHING, "python3-numpy"),
    Dependency("prometheus-client", "prometheus_client", "0.19", Use.WEB, "python3-prometheus-client"),
    Dependency("pyyaml", "yaml", "6", Use.EVERYTHING, "python3-yaml"),
    # An extra: beside apt's, which pip does not see, it would be a second one.
    Dependency(
        "opencv-python-headless", "cv2", "4.6", Use.PICTURES, "python3-opencv", "opencv",
        also=("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
    ),
    # Older ones do not refuse every model that is cut short.
    Dependency("ai-edge-litert", "ai_edge_litert", "2.1.6", Use.MODEL, extra="litert", instead="tflite_runtime"),
    # A namespace package: only what is in it can be looked for.
    Dependency("rosbags", "rosbags.highlevel", "0.11", Use.BAGS, extra="bags"),
    # The first with encode_jpeg_yuv_planes.
    Dependency("simplejpeg", "simplejpeg", "1.8", Use.JPEG, "python3-simplejpeg", "jpeg"),
)  # fmt: skip

NEEDS: Mapping[str, tuple[Use, ...]] = {
    "camera_node": (Use.ROS, Use.EVERYTHING, Use.PICTURES),
    "inference_node": (Use.ROS, Use.EVERYTHING, Use.PICTURES),
    "webrtc_node": (Use.ROS, Use.EVERYTHING, Use.PICTURES, Use.WEB),
    "picam_webrtc": (Use.ROS, Use.EVERYTHING, Use.PICTURES, Use.WEB),
    "add_streams": (Use.ROS, Use.EVERYTHING, Use.PICTURES, Use.WEB),
    "record": (Use.ROS, Use.EVERYTHING),
    "list_cameras": (Use.EVERYTHING,),
}
"""Executable → what it imports as it starts. A model's runtime is not: `transform:=none` does without."""


@dataclass(frozen=True)
class Fault:
    """A dependency that is not there (`found` is None) or has a version that does not work."""

    dependency: Dependency
    found: str | None

    @property
    def reason(self) -> str:
        """What is wrong, to be read behind the package's name."""
        below = self.dependency.below
        wanted = f"{self.dependency.minimum} or later{f', before {below}' if below else ''}"
        if self.found is None:
            return f"is not installed ({wanted} is needed)"
        age = "old" if is_older(self.found, self.dependency.minimum) else "new"
        return f"{self.found} is too {age} ({wanted} is needed)"

    def __str__(self) -> str:
        return f"{self.dependency.distribution} {self.reason}"


def check(needed: Iterable[Use], table: Iterable[Dependency] = DEPENDENCIES) -> None:
    """Raise DependencyError, which names the remedy, when something of what is needed is missing or unfit.

    Reads the names of files only, so that it is quick and nothing foreign gets to run.
    """
    from picam_webrtc.errors import DependencyError  # setup.py runs this file alone

    uses = set(needed)
    if sys.version_info < MINIMUM_PYTHON:
        raise DependencyError(python_fault())
    faults = find_faults(one for one in table if one.use in uses)
    if faults:
        raise DependencyError(f"{'; '.join(map(str, faults))}: {remedy(fault.dependency for fault in faults)}")
    if Use.ROS in uses and not is_there("rclpy"):
        raise DependencyError(f"no ROS 2 is found: {ros_remedy()}")


def ros_remedy() -> str:
    made = environment_beside()
    if made is not None and not os.environ.get("ROS_DISTRO"):  # it may bring ROS
        return in_its_stead(made)
    return "source /opt/ros/<distribution>/setup.bash in this shell, or start everything with `make run`"


def python_fault() -> str:
    return (
        f"Python {'.'.join(map(str, MINIMUM_PYTHON))} or later is needed, and this is "
        f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable}): take a distribution that has it, such as "
        "Ubuntu 24.04 or Debian 12"
    )


def find_faults(table: Iterable[Dependency]) -> list[Fault]:
    """What is missing or unfit, as far as the names of files tell."""
    looked_at = ((one, found_version(one)) for one in table)
    return [Fault(one, found) for one, found in looked_at if found is None or not fits(one, found)]


def fits(dependency: Dependency, version: str) -> bool:
    """Whether that version works. One that says nothing is believed to."""
    if not release(version):
        return True
    too_new = dependency.below and release(version) >= release(dependency.below)
    return not too_new and not is_older(version, dependency.minimum)


def found_version(dependency: Dependency) -> str | None:
    """The version of what would be imported; "" where nothing tells it, None where there is nothing.

    OpenCV from apt does not tell, for instance.
    """
    place = _place(dependency.module)
    if place is None:
        return "" if dependency.instead and is_there(dependency.instead) else None
    versions = _versions_in(place)
    names = map(_normalized, (dependency.distribution, *dependency.also))
    return next((versions[name] for name in names if name in versions), "")


def is_there(module: str) -> bool:
    """Whether an import would find it. Whether it would then go well is another question."""
    return _place(module) is not None


def _place(module: str) -> str | None:
    """The folder of sys.path that has it. A folder that happens to have its name, without code in it, is none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # a parent that is not there; sys.modules has None in its place
        return None
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).parents[module.count(".") + (spec.submodule_search_locations is not None)])


_INFO = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")
"""Name of the folder (or file, long ago) that an installed package's facts are kept in: packaging.python.org,
"Recording installed projects"; setuptools' "EGG internals"."""


@cache
def _versions_in(folder: str) -> Mapping[str, str]:
    """Package → version of what is installed there. importlib.metadata would take four times our ten milliseconds."""
    try:
        entries = os.listdir(folder)
    except OSError:
        return {}
    matches = filter(None, map(_INFO.fullmatch, entries))
    return {_normalized(match["name"]): match["version"].replace("_", "-") for match in matches}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_VERSION = re.compile(r"v?(?:\d+[!:])?(?P<release>\d+(?:\.\d+)*)(?P<rest>.*)")
_BEFORE_RELEASE = re.compile(r"~|[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)[-_.]?\d*(?![a-z])", re.IGNORECASE)


def release(version: str) -> tuple[int, ...]:
    """The release's numbers without zeros at their end: (1, 14) of 1.14.0rc1, 1:1.14.0+dfsg-2. Empty for no version."""
    match = _VERSION.match(version)
    numbers = [int(number) for number in match["release"].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers) or ((0,) if match else ())


def is_older(version: str, other: str) -> bool:
    """By the order of PEP 440, as far as releases and what comes before them go."""
    return _key(version) < _key(other)


def _key(version: str) -> tuple[tuple[int, ...], bool]:
    match = _VERSION.match(version)
    return release(version), match is not None and not _BEFORE_RELEASE.match(match["rest"])


def remedy(wanted: Iterable[Dependency]) -> str:
    """The command that brings all of them, for this Python.

    Nothing is installed into the system's: there install.sh makes an environment beside it, or has made one.
    """
    if not in_environment():
        made = environment_beside()
        if made is not None:
            return in_its_stead(made)
        script = SOURCE / "install.sh"
        place = shlex.quote(str(script)) if script.is_file() else "./install.sh of this package"
        return f"run {place}"
    return f"run {pip_install(*(one.requirement for one in wanted))}"


SOURCE = Path(__file__).resolve().parents[1]
"""The source folder, unless this was installed elsewhere."""


def environment_beside() -> Path | None:
    """The Python of the environment that install.sh completed in the source folder; None where this runs in it."""
    python = SOURCE / ".venv" / "bin" / "python3"
    if in_environment() or not (SOURCE / ".venv" / INSTALLED).is_file() or not os.access(python, os.X_OK):
        return None
    return python


def in_its_stead(made: Path) -> str:
    """What to start instead of what runs now, where `made` has everything."""
    executables = shlex.quote(str(SOURCE / "resource" / "executables"))
    return (
        f"this is not the Python that install.sh filled: take {shlex.quote(str(made))} in place of "
        f"{shlex.quote(sys.executable)}, or start what is in {executables}"
    )


def in_environment() -> bool:
    """Whether packages may be installed here: in a venv's or conda's Python, but not in the system's (PEP 668)."""
    return sys.prefix != sys.base_prefix or os.path.isdir(os.path.join(sys.prefix, "conda-meta"))


CONSTRAINTS = "constraints.txt"
"""In the environment that install.sh made: the versions that fit this very system."""
INSTALLED = "installed"
"""There too, once everything is in it."""


def pip_install(*arguments: str) -> str:
    """The command that has pip install these into this Python's environment, ready for a shell."""
    constraints = os.path.join(sys.prefix, CONSTRAINTS)
    options = ["--constraint", constraints] if os.path.isfile(constraints) else []
    python, quoted = shlex.quote(sys.executable), " ".join(map(shlex.quote, [*options, *arguments]))
    if is_there("pip"):
        return f"{python} -m pip install {quoted}"
    if shutil.which("uv"):  # environments that it made have no pip
        return f"uv pip install --python {python} {quoted}"
    return f"{bring_pip()} && {python} -m pip install {quoted}"


def bring_pip() -> str:
    """The command that brings pip into this Python's environment, which has none."""
    return f"{shlex.quote(sys.executable)} -m ensurepip"

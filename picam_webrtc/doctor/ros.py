"""ROS 2 and its middleware: what is sourced, what is loaded, and whether images come through."""

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from picam_webrtc.dependencies import environment_beside, in_its_stead, is_there
from picam_webrtc.doctor.children import ENDS, Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning
from picam_webrtc.ros.process import log_directory
from picam_webrtc.ros.process.shared_memory import (
    COST,
    GENERATIONS,
    MORE_MEMORY,
    SHARED_MEMORY,
    Choice,
    FastDds,
    chosen_by_user,
    free_megabytes,
    unread_variables,
    wanted_megabytes,
)

TOO_OLD = frozenset({"foxy", "galactic", "humble", "iron"})
PACKAGES = (
    "ament_index_python",
    "builtin_interfaces",
    "diagnostic_msgs",
    "rcl_interfaces",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
)
OPTIONAL_PACKAGES = {
    "cv_bridge": "rare image encodings",
    "launch_ros": "ros2 launch",
    "rosbag2_py": "recording by rosbag2",
    "vision_msgs": "the topic detections",
}
"""Package → what it is for."""
SOURCED = Path("/opt/ros")
RCLPY, MIDDLEWARE = Step("import_module", "rclpy"), Step("middleware")

PROCESSES = 3
"""Of the pipeline with `composed:=false`; each has a segment of its own."""
SAFE_DOMAINS = range(102)
"""Beyond, DDS' ports meet those that Linux gives to programs ("The ROS_DOMAIN_ID", docs.ros.org)."""
RANGES = ("SUBNET", "LOCALHOST", "OFF", "SYSTEM_DEFAULT")


def children() -> list[list[Step]]:
    return [[RCLPY, MIDDLEWARE]] if is_there("rclpy") else []


def ros(answers: Answers, environment: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """`folder` is where nodes would be started."""
    distribution = _distribution(environment)
    if RCLPY not in answers:
        yield broken("ROS 2", "rclpy is not found", _how_to_get_ros())
        return
    asked = environment.get("RMW_IMPLEMENTATION", "")
    if asked and answers[RCLPY].error.startswith(ENDS):  # rcl's way to refuse a middleware that is not there
        found = f"{asked}, which RMW_IMPLEMENTATION asks for, is not installed or does not load"
        yield broken("middleware", f"{found} ({answers[RCLPY].error})", _another_middleware(distribution, asked))
    else:
        yield _rclpy(distribution, answers[RCLPY])
    yield _logs(environment)
    yield _messages(distribution)
    yield from _middleware(distribution, answers, environment, folder)
    yield _discovery(environment)


def _distribution(environment: Mapping[str, str]) -> str:
    """As sourced, or as the wheels of one are called; "" where neither tells."""
    spec = find_spec("rclpy") if is_there("rclpy") else None
    site = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    wheels = (
        re.fullmatch(r"ros_(\w+)_rclpy-.*\.dist-info", path.name) for path in site.glob("ros_*_rclpy-*.dist-info")
    )
    return next((match[1] for match in wheels if match), environment.get("ROS_DISTRO", ""))


def _how_to_get_ros() -> str:
    installed = sorted(path.parent for path in SOURCED.glob("*/setup.bash"))
    if installed:
        return f"source {installed[-1]}/setup.bash in this shell"
    made = environment_beside()
    if made is not None:
        return in_its_stead(made)
    if platform.machine() == "x86_64":
        return "`make run` brings it; or install it (docs/install.md) and source /opt/ros/<distribution>/setup.bash"
    return "install it (docs/install.md) and source /opt/ros/<distribution>/setup.bash"


def _rclpy(distribution: str, answer: Answer) -> Finding:
    found = f"{distribution or 'an unnamed distribution'}, rclpy"
    if distribution in TOO_OLD:
        return broken("ROS 2", f"{found} is too old", "take Jazzy or later (docs/install.md)")
    if answer.untold:
        return unknown("ROS 2", f"{found}: {answer.error}", answer.untold)
    if not answer.error:
        return ok("ROS 2", f"{found} can be imported")
    built_for = _python_of_rclpy()
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if built_for and ours not in built_for:
        remedy = f"run this with python{built_for[-1]}, and make environments with it"
        return broken("ROS 2", f"{found} was built for Python {', '.join(built_for)}, and this is {ours}", remedy)
    return broken("ROS 2", f"{found} cannot be imported: {answer.error}", "source its setup.bash again in a new shell")


def _python_of_rclpy() -> list[str]:
    """From the names of its compiled modules (PEP 3149)."""
    spec = find_spec("rclpy")
    names = [path.name for path in Path(spec.origin).parent.glob("*.cpython-*.so")] if spec and spec.origin else []
    found = (re.search(r"\.cpython-(\d)(\d+)-", name) for name in names)
    return sorted({f"{match[1]}.{match[2]}" for match in found if match})


def _messages(distribution: str) -> Finding:
    missing = [name for name in PACKAGES if not is_there(name)]
    if missing:
        prefix = f"ros-{distribution or '<distribution>'}-"
        names = " ".join(prefix + name.replace("_", "-") for name in missing)
        return broken("ROS packages", f"missing: {', '.join(missing)}", f"sudo apt install {names}")
    optional = (
        f"{name} {'is here' if is_there(name) else f'is not ({use})'}" for name, use in OPTIONAL_PACKAGES.items()
    )
    return ok("ROS packages", f"all that is needed; of the optional ones {', '.join(optional)}")


def _middleware(distribution: str, answers: Answers, environment: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    answer, asked = answers[MIDDLEWARE], environment.get("RMW_IMPLEMENTATION", "")
    if answers[RCLPY].error and not answers[RCLPY].untold:
        return  # said already
    if answer.untold:
        yield unknown("middleware", f"{asked or 'the default'}: {answer.error}", answer.untold)
        yield unknown("Fast DDS profile", "not told, since the middleware is not", answer.untold)
        return
    if answer.error:
        remedy = _another_middleware(distribution, asked) if asked else "reinstall ROS's rmw packages"
        yield broken("middleware", f"{asked or 'the default'} is not loaded: {answer.error}", remedy)
        return
    name, *libraries = answer.value
    chosen = f"asked for by RMW_IMPLEMENTATION={asked}" if asked else "the default"
    yield ok("middleware", f"{name} ({chosen}), {', '.join(libraries) or 'no library of which we know'}")
    generation = fast_dds(libraries)
    if generation is None:
        yield ok("images", f"{name} has ways of its own; our Fast DDS profile is not used")
        return
    finding, profile = profile_in_force(generation, environment, folder)
    yield finding
    if profile is not None:
        yield shared_memory(profile)


def _another_middleware(distribution: str, asked: str) -> str:
    package = f"ros-{distribution or '<distribution>'}-{asked.replace('_', '-')}"
    return f"sudo apt install {package}, or unset RMW_IMPLEMENTATION"


def _logs(environment: Mapping[str, str]) -> Finding:
    """Without a folder for them no node starts."""
    fault = log_directory.fault(environment)
    if fault:
        return broken("ROS logs", fault, log_directory.REMEDY)
    return ok("ROS logs", f"in {log_directory.log_directory(environment)}")


def fast_dds(libraries: list[str]) -> FastDds | None:
    """The generation that is loaded."""
    return next((one for one in GENERATIONS if any(name.startswith(one.library) for name in libraries)), None)


def profile_in_force(generation: FastDds, environment: Mapping[str, str], folder: Path) -> tuple[Finding, Path | None]:
    """How images travel between nodes that are started in `folder`; with it the profile that asks for memory.

    The rules are those of ros/process/shared_memory.py, by which nodes choose it.
    """
    check = "Fast DDS profile"
    chosen = chosen_by_user(generation, environment, folder)
    if chosen is not None:
        return _users_choice(chosen)
    ours = our_profile(environment)
    if ours is None:
        return warning(check, "our own, config/fastdds.xml, is not installed", "install the package again"), None
    unread = unread_variables(generation, environment)
    if unread:
        found = f"{unread[0]} is not read by this Fast DDS; ours is in force: {ours}"
        return warning(check, found, f"set {generation.profile_variables[0]} instead"), ours
    return ok(check, f"ours: {ours}"), ours


def _users_choice(chosen: Choice) -> tuple[Finding, Path | None]:
    check, undo = "Fast DDS profile", f"unset {chosen.variable}" if chosen.variable else "start in another folder"
    if chosen.profile is None:
        return warning(check, f"{chosen} is left as it is; {COST}", undo), None
    if not chosen.profile.is_file():
        return warning(check, f"{chosen} is no file; {COST}", f"correct it, or {undo}"), None
    if not chosen.suffices:
        remedy = f"ask for as large a segment in it as our config/fastdds.xml does, or {undo}"
        return warning(check, f"your own, {chosen}, is left as it is; {COST}", remedy), None
    return ok(check, f"your own: {chosen}"), chosen.profile


def our_profile(environment: Mapping[str, str]) -> Path | None:
    """As ament finds it, else from the source tree."""
    prefixes = [*filter(None, environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    installed = (Path(prefix) / "share" / "picam_webrtc" / "config" for prefix in prefixes)
    folders = (*installed, Path(__file__).parents[2] / "config")
    return next((path for folder in folders if (path := folder / "fastdds.xml").is_file()), None)


def shared_memory(profile: Path, folder: Path = SHARED_MEMORY) -> Finding:
    """Whether all processes get the segment that `profile` asks for; one that does not goes on by UDP."""
    free_mb, each_mb = free_megabytes(folder), wanted_megabytes(profile)
    if free_mb is None:
        return warning(str(folder), "is not there: images come and go by UDP, at more CPU", "mount a tmpfs there")
    found = (
        f"{free_mb:.0f} MB free; three nodes in three processes take {PROCESSES * each_mb:.0f}, in one {each_mb:.0f}"
    )
    if free_mb >= PROCESSES * each_mb:
        return ok(str(folder), found)
    return warning(str(folder), f"{found}; those without go by UDP, at more CPU", MORE_MEMORY)


def _discovery(environment: Mapping[str, str]) -> Finding:
    check, domain = "discovery", environment.get("ROS_DOMAIN_ID", "0")
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET").upper()
    if not (domain.isascii() and domain.isdigit()):
        return broken(check, f"ROS_DOMAIN_ID={domain} is no number", "export ROS_DOMAIN_ID=0, or unset it")
    if int(domain) not in SAFE_DOMAINS:
        last = SAFE_DOMAINS[-1]
        return warning(check, f"ROS_DOMAIN_ID={domain} may meet ports of other programs", f"take one from 0 to {last}")
    if reach not in RANGES:
        found = f"ROS_AUTOMATIC_DISCOVERY_RANGE={reach} means nothing"
        return warning(check, found, f"set it to one of {', '.join(RANGES)}")
    if reach == "OFF":
        return warning(check, "is off: nodes do not even see each other", "unset ROS_AUTOMATIC_DISCOVERY_RANGE")
    localhost = reach == "LOCALHOST" or environment.get("ROS_LOCALHOST_ONLY") == "1"
    others = "nodes of this machine only" if localhost else "nodes of the network too"
    return ok(check, f"domain {int(domain)}, {others}")

"""Who may import what: frames flow one way, and a dependency enters through one file."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "picam_webrtc"
MODULES = sorted(PACKAGE.rglob("*.py"))
GROUND_FLOOR = {"frame", "detection", "declaration", "settings", "errors", "latest", "detection_json"}
ENGINES = {"camera", "inference", "streaming"}

MAY_IMPORT = {
    **dict.fromkeys(GROUND_FLOOR, GROUND_FLOOR),
    **{engine: GROUND_FLOOR | {engine} for engine in ENGINES},
    "inference": GROUND_FLOOR | {"inference", "models"},
    "models": GROUND_FLOOR,
    "launching": GROUND_FLOOR,
    "web": GROUND_FLOOR | ENGINES | {"web"},
    "ros": GROUND_FLOOR | ENGINES | {"web", "ros", "models", "launching"},
    "entry": GROUND_FLOOR | {"ros"},
    "__main__": {"entry"},
    "__init__": set(),
}
"""Part of the package → the parts it may import."""

ROS = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "vision_msgs", "rcl_interfaces",
    "builtin_interfaces", "cv_bridge", "ament_index_python", "lifecycle_msgs",
}  # fmt: skip
ONE_DOOR = {
    **dict.fromkeys(ROS, ("ros/",)),
    "aiohttp.web": ("web/",),
    "aiortc": ("streaming/peer.py",),
    "av": ("streaming/encoder.py", "streaming/peer.py", "camera/video_file.py", "camera/compressed.py"),
    "rosbags": ("camera/bag.py", "ros/bag_writer.py"),
    "ai_edge_litert": ("inference/model.py",),
    "tflite_runtime": ("inference/model.py",),
    "picamera2": ("camera/picamera2.py",),
    "libcamera": ("camera/picamera2.py",),
}
"""Foreign library → the only places that import it."""

GROUND_FLOOR_LIBRARIES = {"numpy"}


def part_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(module: Path) -> Iterator[str]:
    """Every imported name, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def matches(name: str, library: str) -> bool:
    return name == library or name.startswith(library + ".")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_floors_below(module: Path) -> None:
    part = part_of(module)
    assert part in MAY_IMPORT, f"give {part} a place in MAY_IMPORT"
    imported = {name.split(".")[1] for name in imports_of(module) if matches(name, "picam_webrtc") and "." in name}

    assert imported <= MAY_IMPORT[part]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_library_enters_through_its_one_door(module: Path) -> None:
    path = str(module.relative_to(PACKAGE))
    for name in imports_of(module):
        for library, doors in ONE_DOOR.items():
            if matches(name, library):
                assert path.startswith(doors), f"{path} imports {name}; only {doors} may"


@pytest.mark.parametrize("name", sorted(GROUND_FLOOR))
def test_the_ground_floor_stands_on_the_standard_library_and_numpy(name: str) -> None:
    allowed = sys.stdlib_module_names | GROUND_FLOOR_LIBRARIES | {"picam_webrtc"}
    roots = {imported.split(".")[0] for imported in imports_of(PACKAGE / f"{name}.py")}

    assert roots <= allowed


def test_only_the_handoffs_reach_into_an_event_loop_from_another_thread() -> None:
    users = {path.relative_to(PACKAGE).as_posix() for path in MODULES if "call_soon_threadsafe" in path.read_text()}

    assert users == {"latest.py"}


def test_the_capture_process_needs_numpy_alone() -> None:
    """Of all that serve.py imports, directly or not; Picamera2 and libcamera are what it is for."""
    waiting, seen, foreign = [PACKAGE / "camera" / "serve.py"], set[Path](), set[str]()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for name in imports_of(module):
            path = PACKAGE.parent / name.replace(".", "/")
            own = next((one for one in (path.with_suffix(".py"), path.parent.with_suffix(".py")) if one.exists()), None)
            if own is not None and own not in seen:
                waiting.append(own)
            elif not matches(name, "picam_webrtc"):
                foreign.add(name.split(".")[0])

    assert PACKAGE / "camera" / "control_set.py" in seen
    assert foreign - sys.stdlib_module_names == {"numpy", "picamera2", "libcamera"}

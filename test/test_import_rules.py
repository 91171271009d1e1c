"""Who may import what: frames flow one way, and a dependency enters through one file."""

import ast
import sys
from pathlib import Path

import pytest

from picam_webrtc_test.imports import MODULES, PACKAGE, ROS, imports_of, matches

GROUND_FLOOR = {
    *(
        "frame",
        "view",
        "sensor_outputs",
        "sensor_outputs_json",
        "color",
        "detection",
        "declaration",
        "settings",
        "camera_settings",
        "errors",
        "latest",
        "detection_json",
    ),
    *("background", "complaint", "dependencies", "meaning", "paths", "private_members", "silence", "verdict"),
}
ENGINES = {"camera", "inference", "streaming"}

MAY_IMPORT = {
    **dict.fromkeys(GROUND_FLOOR, GROUND_FLOOR),
    **{engine: GROUND_FLOOR | {engine} for engine in ENGINES},
    "inference": GROUND_FLOOR | {"inference", "models"},
    "models": GROUND_FLOOR,
    "doctor": GROUND_FLOOR | ENGINES | {"doctor", "models", "ros"},
    "web": GROUND_FLOOR | ENGINES | {"web"},
    "ros": GROUND_FLOOR | ENGINES | {"web", "ros", "models"},
    "entry": GROUND_FLOOR | {"ros"},
    "__main__": {"entry"},
    "__init__": set(),
}
"""Part of the package → the parts it may import."""

ROOMS = {
    "streaming": (
        {"__init__", "ice_servers"},
        {"encode"},
        {"rtp"},
        {"fanout"},
        {"session"},
        {"publish"},
    ),
    "ros": (
        {"__init__", "process"},
        {"topics"},
        {"node"},
        {"camera", "streams", "recording", "launch"},
        {"camera_node", "inference_node", "webrtc_node", "launching"},
        {"composed"},
    ),
}
"""The rooms of a folder from the ground up; one imports from itself and from those below, not from its neighbours."""

STREAMING_FOR_OTHERS = {
    *("Stream", "Viewer", "Sessions", "Publishers", "EncodedFrame", "Codec", "OutletCounts", "JpegPicture"),
    *("StreamSnapshot", "RenditionSnapshot", "ViewerSnapshot", "SessionsSnapshot", "PublishSnapshot", "PublishState"),
}
"""All that web/ and ros/ see of streaming/."""

ONE_DOOR = {
    **dict.fromkeys(ROS, ("ros/",)),
    "aiohttp.web": ("web/",),
    "aiortc": tuple(
        f"streaming/session/{name}.py" for name in ("peer", "direct_sender", "negotiation", "aiortc_check")
    ),
    "av": ("streaming/encode/encoders.py", "camera/video_file.py", "camera/compressed.py"),
    "rosbags": ("camera/bag.py", "ros/recording/bag_writer.py"),
    "ai_edge_litert": ("inference/model.py",),
    "tflite_runtime": ("inference/model.py",),
    "picamera2": ("camera/picamera2_library.py",),
    "libcamera": ("camera/picamera2_library.py",),
}
"""Foreign library → the only places that import it."""

GROUND_FLOOR_LIBRARIES = {"numpy"}


def part_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_floors_below(module: Path) -> None:
    part = part_of(module)
    assert part in MAY_IMPORT, f"give {part} a place in MAY_IMPORT"
    imported = {name.split(".")[1] for name in imports_of(module) if matches(name, "picam_webrtc") and "." in name}

    assert imported <= MAY_IMPORT[part]


def in_rooms() -> list[Path]:
    return [module for module in MODULES if part_of(module) in ROOMS]


@pytest.mark.parametrize("module", in_rooms(), ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_rooms_below(module: Path) -> None:
    folder = part_of(module)
    room = module.relative_to(PACKAGE / folder).with_suffix("").parts[0]
    below: set[str] = set()
    for floor in ROOMS[folder]:
        if room in floor:
            break
        below |= floor
    else:
        raise AssertionError(f"give {folder}/{room} a place in ROOMS")
    imported = {name.split(".")[2] for name in imports_of(module) if matches(name, f"picam_webrtc.{folder}")}

    assert imported <= below | {room}


def test_web_and_ros_see_streaming_by_a_few_names() -> None:
    above = [module for module in MODULES if part_of(module) in ("web", "ros")]
    names = {name for module in above for name in imports_of(module) if matches(name, "picam_webrtc.streaming")}
    face = ast.get_docstring(ast.parse((PACKAGE / "streaming" / "__init__.py").read_text())) or ""

    assert {name.rpartition(".")[2] for name in names} == STREAMING_FOR_OTHERS
    assert [name for name in sorted(STREAMING_FOR_OTHERS) if f"`{name}`" not in face] == []


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

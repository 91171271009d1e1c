"""vision_msgs for tests: the genuine package where it is installed, else bindings built into a place of their own.

No package registry has vision_msgs. test/vision_msgs has the names and types of its messages, from which ROS's own
generators make bindings that other nodes cannot tell from the genuine ones. They are never installed.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "test" / "vision_msgs"
BUILD_TIMEOUT_S = 300


def vision_environment() -> dict[str, str]:
    """Environment variables with which a child process finds vision_msgs. Skips the test where it cannot be built."""
    if find_spec("vision_msgs") is not None:
        return {}
    missing = [program for program in ("cmake", "ninja", "c++") if shutil.which(program) is None]
    if missing or find_spec("rosidl_generator_py") is None:
        pytest.skip(f"vision_msgs is not installed, and to build it these are missing: {missing or 'the generators'}")
    prefix = ROOT / ".cache" / f"vision_msgs-{_fingerprint()}"
    if not prefix.is_dir():
        _build(prefix)
    site = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    return {
        name: os.pathsep.join(filter(None, (str(path), os.environ.get(name))))
        for name, path in (
            ("PYTHONPATH", site),
            ("LD_LIBRARY_PATH", prefix / "lib"),
            ("AMENT_PREFIX_PATH", prefix),
        )
    }


def type_hash(environment: dict[str, str], message: str) -> str:
    """By which nodes know that they mean the same message (REP 2011)."""
    prefix = environment["AMENT_PREFIX_PATH"].split(os.pathsep)[0]
    description = json.loads((Path(prefix) / f"share/vision_msgs/msg/{message}.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    return str(hashes[f"vision_msgs/msg/{message}"])


def _fingerprint() -> str:
    # Each ROS distribution has its own environment, whose generators make other bindings.
    digest = hashlib.sha256("\n".join((sysconfig.get_platform(), sys.version, sys.prefix)).encode())
    for file in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build(prefix: Path) -> None:
    prefix.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=prefix.parent) as place:
        built, installed = Path(place, "build"), Path(place, "install")
        # The generators' CMake files are where pip put them.
        environment = {**os.environ, "CMAKE_PREFIX_PATH": sys.prefix, "AMENT_PREFIX_PATH": sys.prefix}
        for command in (
            [
                *("cmake", "-S", str(SOURCE), "-B", str(built), "-G", "Ninja", "-DBUILD_TESTING=OFF"),
                *(f"-DPython3_EXECUTABLE={sys.executable}", f"-DCMAKE_INSTALL_PREFIX={installed}"),
            ],
            ["cmake", "--build", str(built)],
            ["cmake", "--install", str(built)],
        ):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        # Whole or not at all; whoever was faster has built the same.
        if not prefix.is_dir():
            installed.rename(prefix)

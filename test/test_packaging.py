"""What `pip install .` and `colcon build` leave where ament, ros2 run and ros2 launch look."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from picam_webrtc.dependencies import DEPENDENCIES

ROOT = Path(__file__).parents[1]
NODES = ("camera_node", "inference_node", "webrtc_node", "picam_webrtc")
SHARED = ("package.xml", "launch/picam_webrtc.launch.py", "config/fastdds.xml", "config/example.yaml")
BUILD_TIMEOUT_S = 110


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without what earlier builds left behind."""
    copy = tmp_path_factory.mktemp("source") / "picam_webrtc"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module", params=["pip", "colcon", "colcon --symlink-install"])
def prefix(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installed")
    if request.param == "pip":
        command = ["pip", "install", "--no-deps", "--quiet", f"--prefix={place}", str(source)]
    else:
        command = [
            "colcon", "--log-base", str(place / "log"), "build", "--merge-install", *request.param.split()[1:],
            "--base-paths", str(source), "--build-base", str(place / "build"), "--install-base", str(place / "install"),
        ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    built = subprocess.run(
        command, env=environment, cwd=place, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return place if request.param == "pip" else place / "install"


def test_what_is_required_is_what_the_table_of_dependencies_says(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=source, check=True)

    (required,) = tmp_path.glob("*.egg-info/requires.txt")
    always, *extras = required.read_text().split("\n\n")
    wanted = {one.requirement for one in DEPENDENCIES if not one.extra}
    assert {requirement.replace("_", "-") for requirement in always.split()} == wanted | {"setuptools"}
    optional = {f"[{one.extra}]\n{one.requirement}" for one in DEPENDENCIES if one.extra}
    assert optional <= {extra.strip() for extra in extras}


def test_the_ament_index_knows_the_package(prefix: Path) -> None:
    assert (prefix / "share/ament_index/resource_index/packages/picam_webrtc").is_file()


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_file_is_installed(prefix: Path, name: str) -> None:
    assert (prefix / "share/picam_webrtc" / name).is_file()


def test_the_viewer_page_is_installed(prefix: Path) -> None:
    pages = [page for page in prefix.rglob("picam_webrtc/web/static/index.html") if page.is_file()]
    linked = list(prefix.rglob("*picam*webrtc*.egg-link")) + list(prefix.rglob("__editable__*picam*webrtc*"))

    assert pages or linked


def started(prefix: Path, name: str, arguments: str) -> subprocess.CompletedProcess[str]:
    """The executable, where `ros2 run` looks for it, once it has ended."""
    executable = prefix / "lib/picam_webrtc" / name
    assert os.access(executable, os.X_OK)
    setup = prefix / "local_setup.sh"  # colcon's; what pip installed is found as any package of an environment is
    packages = [str(path) for path in prefix.glob("lib/python3*/site-packages")]
    environment = {**os.environ, "COLCON_CURRENT_PREFIX": str(prefix), "PYTHONPATH": ":".join(packages)}
    sourced = f". {setup} && " if setup.exists() else ""
    return subprocess.run(
        ["sh", "-c", f"{sourced}exec {sys.executable} {executable} {arguments}"],
        env=environment, cwd=prefix, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.ros
@pytest.mark.parametrize("name", NODES)
def test_an_executable_stands_where_ros2_run_looks_and_starts(prefix: Path, name: str) -> None:
    ended = started(prefix, name, "--ros-args -p source:=webcam -p transform:=webcam")

    assert ended.returncode == 1
    assert "= 'webcam': must be one of" in ended.stderr


def test_the_doctor_stands_there_too(prefix: Path) -> None:
    assert started(prefix, "doctor", "--help").stdout.startswith("usage: doctor ")

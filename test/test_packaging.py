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
EXECUTABLES = sorted(file for file in (ROOT / "resource/executables").iterdir() if not file.suffix)
WRONG = "--ros-args -p source:=webcam -p transform:=webcam -p tls:=webcam"
BUILD_TIMEOUT_S = 110
SHELL_PATH = "/usr/bin:/bin"
"""Of a shell in which no environment is activated."""


def make_interpreter(environment: Path, name: str) -> None:
    """An environment whose python3 says its name and is then the one that runs these tests."""
    python = environment / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "interpreter: {name}" >&2\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)


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
    make_interpreter(copy / ".venv", "of the source")
    return copy


@pytest.fixture(scope="module", params=["pip", "colcon", "colcon --symlink-install"])
def prefix(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("installed")
    make_interpreter(place, "of pip's environment")
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


def start(prefix: Path, name: str, path: str = SHELL_PATH, arguments: str = WRONG) -> subprocess.CompletedProcess[str]:
    """What `ros2 run` does, in a shell that has sourced colcon's set-up and activated nothing."""
    setup = prefix / "local_setup.sh"
    packages = [str(path) for path in prefix.glob("lib/python3*/site-packages")]  # as pip's environment finds them
    environment = {
        **os.environ, "COLCON_CURRENT_PREFIX": str(prefix), "PYTHONPATH": ":".join(packages), "PATH": path
    }  # fmt: skip
    sourced = f". {setup} && " if setup.exists() else ""
    return subprocess.run(
        ["sh", "-c", f"{sourced}exec {prefix}/lib/picam_webrtc/{name} {arguments}"],
        env=environment, cwd=prefix, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.ros
@pytest.mark.parametrize("name", NODES)
def test_an_executable_stands_where_ros2_run_looks_and_starts(prefix: Path, name: str) -> None:
    ended = start(prefix, name)

    assert ended.returncode == 1
    assert "= 'webcam': must be one of" in ended.stderr


def test_ros2_run_offers_the_executables_alone(prefix: Path) -> None:
    """It takes every file there that may be executed, as in ros2run/api/__init__.py of Jazzy."""
    offered = {file.name for file in (prefix / "lib/picam_webrtc").iterdir() if os.access(file, os.X_OK)}

    assert offered == {file.name for file in EXECUTABLES}


@pytest.mark.ros
def test_an_executable_starts_with_the_interpreter_that_has_its_packages(prefix: Path, source: Path) -> None:
    from_colcon = (prefix / "local_setup.sh").exists()

    assert f"interpreter: {'of the source' if from_colcon else 'of pip'}" in start(prefix, "camera_node").stderr


@pytest.mark.ros
def test_the_user_may_name_the_interpreter(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_interpreter(tmp_path, "of the user")
    monkeypatch.setenv("PICAM_WEBRTC_PYTHON", str(tmp_path / "bin/python3"))

    assert "interpreter: of the user" in start(prefix, "camera_node").stderr


@pytest.mark.ros
def test_without_such_an_interpreter_it_starts_with_that_of_the_shell(
    prefix: Path, source: Path, tmp_path: Path
) -> None:
    """As where the workspace has been moved since."""
    make_interpreter(tmp_path, "of the shell")
    ours = [python for python in (source / ".venv/bin/python3", prefix / "bin/python3") if python.exists()]
    for python in ours:
        python.rename(python.with_suffix(".away"))
    try:
        ended = start(prefix, "camera_node", f"{tmp_path}/bin:{SHELL_PATH}")
    finally:
        for python in ours:
            python.with_suffix(".away").rename(python)

    assert "interpreter: of the shell" in ended.stderr
    assert "= 'webcam': must be one of" in ended.stderr


@pytest.mark.parametrize("executable", EXECUTABLES, ids=lambda path: path.name)
def test_every_executable_looks_for_its_interpreter_in_the_same_way(executable: Path) -> None:
    *head, last = executable.read_text().splitlines()

    assert head == (ROOT / "resource/executables/camera_node").read_text().splitlines()[:-1]
    assert last == f'exec $wait "$python" -m picam_webrtc {executable.name} "$@"'


def test_the_doctor_stands_there_too(prefix: Path) -> None:
    assert start(prefix, "doctor", arguments="--help").stdout.startswith("usage: doctor ")

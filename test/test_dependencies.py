"""One table of what we depend on; whoever has the wrong thing gets one line and the command that mends it."""

import ast
import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest
from packaging.version import Version

from picam_webrtc import dependencies
from picam_webrtc.dependencies import (
    DEPENDENCIES,
    NEEDS,
    Dependency,
    Use,
    check,
    find_faults,
    fits,
    found_version,
    is_older,
    release,
    remedy,
)
from picam_webrtc.entry import EXECUTABLES
from picam_webrtc.errors import DependencyError

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "picam_webrtc"
WITH_US = {"yarl": "aiohttp", "pylibsrtp": "aiortc"}
"""What comes with one of ours, always."""
VERSIONS = (
    "0.9",
    "0.10",
    "1.0rc1",
    "1",
    "1.0.1",
    "1.9",
    "1.14.dev2",
    "1.14b1",
    "1.14.0",
    "1.14.1",
    "4.6.0.66",
    "5.0.0.93",
)


def install(folder: Path, module: str, info: str = "") -> Path:
    """A module as pip or apt leaves it; `info` is the folder that tells its version, if any."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").touch()
    if info:
        (folder / info).mkdir()
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def in_a_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/home/pi/env")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "executable", "/home/pi/env/bin/python")


A = Dependency("a-package", "a_package", "1.14", Use.WEB, below="3")


def test_versions_are_ordered_as_packaging_orders_them() -> None:
    # Which of two that come before the same release is older decides nothing here.
    for one, other in itertools.product(VERSIONS, VERSIONS):
        if release(one) != release(other) or Version(one).is_prerelease != Version(other).is_prerelease:
            assert is_older(one, other) == (Version(one) < Version(other)), (one, other)


@pytest.mark.parametrize(
    ("version", "fit"),
    [
        ("1.14.0+dfsg-12", True),
        ("1:1.14.0-1ubuntu2", True),
        ("1.14.0~rc2+dfsg", False),
        ("1.14.0-rc2", False),
        ("1.14.0.post1", True),
        ("2.99", True),
        ("3.0rc1", False),
        ("3", False),
        ("1.6.0", False),
        ("unknown", True),
        ("", True),
    ],
)
def test_a_version_fits_whatever_a_distribution_adds_to_it(version: str, fit: bool) -> None:
    assert fits(A, version) is fit


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ("a_package-1.6.0.dist-info", "1.6.0"),
        ("A.Package-1.6.0.egg-info", "1.6.0"),
        ("a_package-1.6.0-py3.12.egg-info", "1.6.0"),
        ("another_package-1.6.0.dist-info", ""),
        ("", ""),
    ],
)
def test_the_version_is_read_from_the_names_of_files(site: Path, info: str, version: str) -> None:
    install(site, "a_package", info)

    assert found_version(A) == version
    assert "a_package" not in sys.modules


def test_the_version_is_that_of_the_module_that_comes_first(site: Path, tmp_path: Path) -> None:
    install(site / "system", "a_package", "a_package-1.6.0.dist-info")
    install(site / "ours", "a_package", "a_package-1.16.0.dist-info")
    sys.path[:0] = [str(site / "ours"), str(site / "system")]  # taken back by the fixture

    assert found_version(A) == "1.16.0"


def test_a_folder_without_code_is_no_module(site: Path) -> None:
    (site / "a_package").mkdir()

    assert found_version(A) is None


def test_another_package_with_the_same_module_tells_the_version(site: Path) -> None:
    install(site, "a_package", "a_contrib_package-2.1.dist-info")

    assert found_version(Dependency("a-package", "a_package", "1", Use.WEB, also=("a-contrib-package",))) == "2.1"


def test_a_module_that_will_do_instead_is_enough(site: Path) -> None:
    install(site, "older_runtime")

    assert not find_faults([Dependency("a-package", "a_package", "1", Use.MODEL, instead="older_runtime")])


def test_all_that_is_wrong_is_one_line_with_one_command(site: Path, in_a_venv: None) -> None:
    install(site, "a_package", "a_package-1.6.0.dist-info")
    table = (A, Dependency("b", "no_such_b", "2", Use.WEB), Dependency("c", "no_such_c", "2", Use.JPEG))

    with pytest.raises(DependencyError) as refused:
        check([Use.WEB], table)

    assert str(refused.value) == (
        "a-package 1.6.0 is too old (1.14 or later, before 3 is needed); b is not installed (2 or later is needed): "
        "run /home/pi/env/bin/python -m pip install 'a-package<3,>=1.14' 'b>=2'"
    )


def test_what_is_too_new_is_called_so(site: Path) -> None:
    install(site, "a_package", "a_package-3.1.dist-info")

    assert [str(fault) for fault in find_faults([A])] == [
        "a-package 3.1 is too new (1.14 or later, before 3 is needed)"
    ]


def test_a_venv_without_pip_is_filled_by_uv(monkeypatch: pytest.MonkeyPatch, in_a_venv: None) -> None:
    monkeypatch.setattr(dependencies, "is_there", lambda module: module != "pip")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    assert remedy([A]) == "run uv pip install --python /home/pi/env/bin/python 'a-package<3,>=1.14'"


def test_without_uv_a_venv_without_pip_is_given_it(monkeypatch: pytest.MonkeyPatch, in_a_venv: None) -> None:
    monkeypatch.setattr(dependencies, "is_there", lambda module: module != "pip")
    monkeypatch.setattr(shutil, "which", lambda _: None)

    python = "/home/pi/env/bin/python"
    assert remedy([A]) == f"run {python} -m ensurepip && {python} -m pip install 'a-package<3,>=1.14'"


def test_the_environment_that_install_made_keeps_to_its_versions(
    monkeypatch: pytest.MonkeyPatch, in_a_venv: None, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "constraints.txt").touch()

    assert f"-m pip install --constraint {tmp_path}/constraints.txt 'a-package<3,>=1.14'" in remedy([A])


@pytest.fixture
def in_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The system's Python, and a source folder in which nothing was installed yet."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(dependencies, "SOURCE", tmp_path)
    (tmp_path / "install.sh").touch()
    return tmp_path


@pytest.mark.parametrize("complete", [True, False])
def test_the_systems_python_is_told_of_the_environment_beside_it_once_that_is_complete(
    monkeypatch: pytest.MonkeyPatch, in_the_systems: Path, complete: bool
) -> None:
    subprocess.run(
        [sys.base_exec_prefix + "/bin/python3", "-m", "venv", "--without-pip", in_the_systems / ".venv"], check=True
    )
    if complete:
        (in_the_systems / ".venv" / "installed").touch()
    monkeypatch.setattr(dependencies, "is_there", lambda _: False)
    monkeypatch.delenv("ROS_DISTRO", raising=False)

    with pytest.raises(DependencyError) as refused:
        check([Use.ROS], ())

    for said in (remedy([A]), str(refused.value)):
        assert (f"take {in_the_systems}/.venv/bin/python3 in place of {sys.executable}" in said) is complete
        assert (f"{in_the_systems}/resource/executables" in said) is complete
    assert (remedy([A]) == f"run {in_the_systems}/install.sh") is not complete


def test_nothing_is_installed_into_the_systems_python(in_the_systems: Path) -> None:

    assert "install.sh" in remedy([A])
    assert "pip" not in remedy([A])


def test_a_python_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))

    with pytest.raises(DependencyError, match=r"^Python 3\.11 or later is needed, and this is 3\.10\.12 "):
        check([])


def test_without_ros_it_says_what_to_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "is_there", lambda module: module != "rclpy")

    with pytest.raises(DependencyError, match=r"no ROS 2 is found: source /opt/ros/"):
        check([Use.ROS], ())


def test_an_old_aiortc_ends_a_process_before_it_is_imported(tmp_path: Path) -> None:
    install(tmp_path, "aiortc", "aiortc-1.6.0.dist-info")
    (tmp_path / "aiortc" / "__init__.py").write_text("raise ImportError('RTCBundlePolicy')")
    program = "from picam_webrtc.dependencies import *; check(NEEDS['webrtc_node'])"

    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "aiortc 1.6.0 is too old (1.14 or later, before 1.17 is needed): run " in ended.stderr.splitlines()[-1]
    assert "RTCBundlePolicy" not in ended.stderr


def test_what_the_tests_run_with_is_what_the_table_asks_for() -> None:
    check(Use)


def test_the_table_is_read_by_its_path_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As setup.py does, where no package of ours can be imported."""
    monkeypatch.setitem(sys.modules, "picam_webrtc", None)

    table = run_path(str(PACKAGE / "dependencies.py"))["DEPENDENCIES"]

    assert [one.requirement for one in table] == [one.requirement for one in DEPENDENCIES]


READ_BY_EVERY_PYTHON = (
    "__init__.py", "__main__.py", "entry.py", "dependencies.py", "errors.py", "doctor/__init__.py",
    "doctor/__main__.py", "ros/__init__.py", "ros/process/__init__.py", "ros/process/memory.py",
    "ros/process/signals.py",
)  # fmt: skip


@pytest.mark.parametrize("name", READ_BY_EVERY_PYTHON)
def test_what_every_python_reads_is_legible_to_those_that_are_turned_away(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text(), feature_version=(3, 9))

    # int | None in an annotation is refused by 3.9 where it is evaluated.
    annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree))
    lazily = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert lazily or not annotated


def python_3_9() -> str:
    """One that starts; "" where there is none."""
    pyenv = Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9")
    uv = Path.home().glob(".local/share/uv/python/cpython-3.9.*/bin/python3.9")
    for python in filter(None, (shutil.which("python3.9"), *map(str, pyenv), *map(str, uv))):
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return ""


@pytest.mark.parametrize("module", ["picam_webrtc", "picam_webrtc.doctor"])
def test_a_python_that_is_too_old_gets_one_line(module: str) -> None:
    python = python_3_9()
    if not python:
        pytest.skip("no Python 3.9 here")

    ended = subprocess.run([python, "-m", module], cwd=ROOT, capture_output=True, text=True, check=False)

    (line,) = ended.stderr.splitlines()
    assert "Python 3.11 or later is needed, and this is 3.9." in line
    assert ended.returncode == 1


def test_every_executable_says_what_it_needs() -> None:
    assert EXECUTABLES.keys() - {"doctor"} == NEEDS.keys()


@pytest.mark.parametrize("executable", sorted(NEEDS))
def test_nothing_is_imported_at_a_start_that_was_not_asked_for_before(executable: str) -> None:
    imported = set(imported_at_start(EXECUTABLES[executable], set())) - ROS_MODULES - sys.stdlib_module_names
    asked_for = {one.module for one in DEPENDENCIES if one.use in NEEDS[executable]}

    assert {WITH_US.get(name, name) for name in imported} - {"picam_webrtc"} <= asked_for | set(WITH_US.values())
    assert not any(name in WITH_US and WITH_US[name] not in asked_for for name in imported)


ROS_MODULES = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "rcl_interfaces", "builtin_interfaces",
    "ament_index_python",
}  # fmt: skip


def imported_at_start(name: str, seen: set[Path]) -> Iterator[str]:
    """The foreign modules that importing ours of that name imports without further ado, guarded imports left out."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    assert path.is_file()
    if path in seen:
        return
    seen.add(path)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if not node.module.startswith("picam_webrtc"):
                yield node.module.split(".")[0]
                continue
            for module in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                if (ROOT / f"{module.replace('.', '/')}.py").is_file():
                    yield from imported_at_start(module, seen)

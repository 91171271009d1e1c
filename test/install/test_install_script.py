"""What install.sh says where it cannot go on: one line that names the remedy, and exit code 1."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM_PATH = "/usr/bin:/bin"
COPIED = (
    "install.sh",
    "setup.py",
    "setup.cfg",
    "package.xml",
    "pyproject.toml",
    "picam_webrtc",
    "resource",
    "launch",
    "config",
)
NOBODY_LISTENS = "http://127.0.0.1:9/simple"
NO_NETWORK = {"PIP_INDEX_URL": NOBODY_LISTENS, "PIP_CONFIG_FILE": os.devnull}
HANG = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
SEES_NO_ROS = "case $* in *rclpy*) exit 1;; esac"


class Machine:
    """A copy of the source, and programs of the system that answer as another machine's."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "picam_webrtc"
        self.programs = folder / "programs"
        self.calls = folder / "calls"
        self.programs.mkdir()
        self.source.mkdir()
        for name in COPIED:
            place = self.source / name
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, place)

    def program(self, name: str, script: str) -> Path:
        """A program ahead of the system's. What it is called with is noted in `calls`."""
        path = self.programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {shlex.quote(str(self.calls))}\n{script}\n')
        path.chmod(0o755)
        return path

    def python(self, version: str = "3.11.2", without: str = "rclpy") -> Path:
        """The running interpreter, which says that it is of that version and cannot do the imports `without`."""
        tells = f"case $* in *platform.python_version*) echo {version}; exit;; *{without}*) exit 1;; esac"
        old = "case $* in *version_info*) exit 1;; esac" if version < "3.11" else ""
        return self.program("python3", f'{SEES_NO_ROS}\n{old}\n{tells}\nexec {sys.executable} "$@"')

    def install(
        self, python: Path | None = None, environment: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        own = {
            "PATH": f"{self.programs}:{SYSTEM_PATH}",
            "HOME": str(self.source),
            "PYTHON": str(python or self.python()),
        }
        return subprocess.run(
            [str(self.source / "install.sh")], env={**own, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip

    def refusal(self, python: Path | None = None, environment: Mapping[str, str] = {}) -> str:
        """The one line with which it ends."""
        ended = self.install(python, environment)
        assert ended.returncode == 1, ended.stdout + ended.stderr
        (line,) = ended.stderr.splitlines()
        assert line.startswith("install.sh: ")
        return line.removeprefix("install.sh: ")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_python_that_is_too_old_is_named_with_its_version(machine: Machine) -> None:
    python = machine.python("3.10.12")

    assert machine.refusal(python) == (
        f"Python 3.11 or later is needed, {python} is 3.10.12; Debian 12 and Ubuntu 24.04 have it (docs/install.md)"
    )


def test_a_disk_without_room_is_named_with_what_is_free_and_what_is_needed(machine: Machine) -> None:
    machine.program("df", "printf 'Filesystem 1M Used Available Use%% On\\n/dev/mmcblk0p2 14000 13900 100 99%% /\\n'")

    assert machine.refusal() == f"100 MB are free in {machine.source}, 800 MB are needed"


def test_a_32_bit_system_is_refused(machine: Machine) -> None:
    machine.program("uname", "echo armv7l")

    assert machine.refusal() == "a 64-bit system is needed (x86-64 or aarch64), this is armv7l"


def test_a_pi_without_ros_is_told_where_to_get_it(machine: Machine) -> None:
    machine.program("uname", "echo aarch64")

    assert machine.refusal() == (
        "ROS 2 is not here, and its wheels are for x86-64 only; docs/install.md says where to get it for this machine"
    )


def test_a_ros_of_another_python_is_not_joined_by_a_second_one(machine: Machine) -> None:
    said = machine.refusal(environment={"ROS_DISTRO": "jazzy"})

    assert said.startswith(f"ROS 2 jazzy is sourced, and {machine.programs}/python3 cannot import it:")


def test_whoever_may_not_install_packages_gets_the_command(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    machine.program("apt-get", "")

    assert machine.refusal(machine.python(without="ensurepip")) == (
        "system packages are missing; run: sudo apt-get install -y python3-venv   and then ./install.sh again"
    )


def test_whoever_has_sudo_installs_through_it(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", '[ "$1" = -n ] && exit\nexec "$@"')
    machine.program("apt-get", "case $* in *install*) exit 100;; esac")

    said = machine.refusal(machine.python(without="ensurepip"))

    assert "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv" in (
        machine.calls.read_text()
    )
    assert said == "apt could not install python3-venv (its reason is above; is there a network?)"


def test_an_environment_of_another_python_is_left_alone(machine: Machine) -> None:
    other = machine.source / ".venv" / "bin" / "python3"
    other.parent.mkdir(parents=True)
    other.write_text("#!/bin/sh\necho '3.9 of /usr'\n")
    other.chmod(0o755)

    said = machine.refusal()

    ours = f"{sys.version_info.major}.{sys.version_info.minor} of {sys.base_prefix}"
    assert said == (
        f".venv is Python 3.9 of /usr, and this is Python {ours}; "
        f"remove it (rm -r {machine.source}/.venv) and run ./install.sh again"
    )


def test_an_environment_that_does_not_see_the_systems_packages_is_left_alone(machine: Machine) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(machine.source / ".venv")], check=True)

    assert machine.refusal() == (
        f".venv does not see the system's packages; remove it (rm -r {machine.source}/.venv) and run ./install.sh again"
    )


def test_a_package_index_that_does_not_answer_is_named(machine: Machine) -> None:
    said = machine.refusal(environment=NO_NETWORK)

    assert said == (
        "the package index cannot be reached: is there a network? "
        f"({machine.source}/.venv/install.log has all that pip said)"
    )


def test_what_it_does_now_is_told(machine: Machine) -> None:
    ended = machine.install(environment=NO_NETWORK)

    assert [line[:18] for line in ended.stdout.splitlines()] == ["[1/3] Environment:", "[2/3] Packages: in"]


def hanging_python(machine: Machine, waiting: Path) -> Path:
    """Leaves the environment half made, and has it hang there."""
    half = f'-m\\ venv*) mkdir -p "$4/bin"; exec {sys.executable} -c {shlex.quote(HANG)} {waiting};;'
    return machine.program("hanging_python3", f'{SEES_NO_ROS}\ncase $* in {half} esac\nexec {sys.executable} "$@"')


def test_an_interrupt_is_one_line_and_the_next_run_makes_the_environment_anew(machine: Machine, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    environment = {**os.environ, "PYTHON": str(hanging_python(machine, waiting))}
    process = subprocess.Popen(
        [str(machine.source / "install.sh")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not waiting.exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    _, said = process.communicate(timeout=30)

    assert said.split("\n") == ["", "install.sh: interrupted; ./install.sh goes on from here", ""]
    assert process.returncode == 128 + signal.SIGINT
    assert machine.refusal(environment=NO_NETWORK).startswith("the package index cannot be reached")


def test_an_environment_that_was_left_without_pip_is_given_it(machine: Machine) -> None:
    """By a version of this script that could not tell."""
    venv = machine.source / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)], check=True)

    assert machine.refusal(environment=NO_NETWORK).startswith("the package index cannot be reached")


def test_a_path_with_a_space_is_told_as_a_shell_takes_it(tmp_path: Path) -> None:
    folder = tmp_path / "my robot"
    folder.mkdir()
    machine = Machine(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(machine.source / ".venv")], check=True)

    said = machine.refusal()

    assert f"(rm -r {tmp_path}/my\\ robot/picam_webrtc/.venv)" in said

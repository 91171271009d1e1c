"""The doctor as a whole: from a Python that has nothing to one that has everything, and no trace afterwards."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from picam_webrtc.doctor.finding import Level
from picam_webrtc_test.doctor.support import ROOT, diagnose, doctor, module

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["exit_code", "complete", "took_s", "findings"],
    "properties": {
        "exit_code": {"enum": [0, 1, 3]},
        "complete": {"type": "boolean"},
        "took_s": {"type": "number", "minimum": 0},
        "findings": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["check", "level", "found", "remedy"],
                "properties": {
                    "check": {"type": "string", "minLength": 1},
                    "level": {"enum": ["ok", "warning", "broken", "unknown"]},
                    "found": {"type": "string", "minLength": 1},
                    "remedy": {"type": "string"},
                },
            },
        },
    },
}
"""What a bug report holds."""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """As `python3 -m venv` makes it, with nothing in it."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return str(folder / "bin" / "python")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which there is nothing, and nothing is to be left."""
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_the_json_is_as_described() -> None:
    ended = doctor("--json")

    report = json.loads(ended.stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["exit_code"] == ended.returncode
    for finding in report["findings"]:
        assert bool(finding["remedy"]) == (finding["level"] != "ok")


def test_an_environment_that_runs_the_tests_has_nothing_broken() -> None:
    diagnosis = diagnose("--model=face_detection")

    broken = [one for one in diagnosis.findings if one.level is Level.BROKEN and one.check != "model"]
    assert broken == []
    assert diagnosis["middleware"].found.startswith("rmw_")
    assert diagnosis["numpy with OpenCV"].found.startswith("OpenCV works on arrays of numpy ")
    assert "H.264 by libx264 and VP8 by libvpx" in diagnosis["encoders"].found


def test_a_python_without_anything_is_told_all_that_it_lacks(bare_python: str) -> None:
    diagnosis = diagnose(python=bare_python)

    assert diagnosis.exit_code == 1
    assert diagnosis["Python"].level is Level.OK
    assert diagnosis["ROS 2"].level is Level.BROKEN
    assert "setup.bash" in diagnosis["ROS 2"].remedy
    assert diagnosis["aiortc"].found.startswith("is not installed (1.14 or later, before 1.17 is needed)")
    assert diagnosis["aiortc"].remedy == f"run {bare_python} -m pip install 'aiortc<1.17,>=1.14'"
    assert diagnosis["simplejpeg"].level is Level.OK  # it does without


def test_the_text_has_a_line_for_each_finding_and_one_command_for_all_packages(bare_python: str) -> None:
    ended = doctor(python=bare_python)

    lines = ended.stdout.splitlines()
    assert any(line.startswith("BROKEN   aiortc: is not installed") and " → run " in line for line in lines)
    (command,) = (line for line in lines if line.startswith("All packages at once: run "))
    assert "'aiortc<1.17,>=1.14'" in command
    assert "'numpy>=1.24.2'" in command
    assert ended.returncode == 1
    assert not ended.stderr


IN_SHARED_MEMORY_OF_ITS_OWN = 'mount -t tmpfs tmpfs /dev/shm && "$@"; code=$?; ls -A /dev/shm > "$LEFT"; exit $code'


def test_it_leaves_nothing_behind(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a mount namespace takes root and unshare")
    left = tmp_path / "left"
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    prefix = ("unshare", "--mount", "sh", "-c", IN_SHARED_MEMORY_OF_ITS_OWN, "sh")

    diagnose(environment={**environment, "LEFT": str(left)}, folder=home, prefix=prefix)

    assert list(home.iterdir()) == []
    # LTTng, which rclpy loads, has a page there for whoever comes next.
    assert [name for name in left.read_text().split() if not name.startswith("lttng-ust-wait")] == []


def test_an_interrupt_ends_it_without_a_traceback(tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    code = f"from pathlib import Path; Path({str(waiting)!r}).touch(); import signal; signal.pause()"
    path = os.pathsep.join(map(str, [module(tmp_path, "ifaddr", code), ROOT]))
    command = [sys.executable, "-m", "picam_webrtc.doctor", "--timeout=60"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        while not waiting.exists():
            assert process.poll() is None
        os.killpg(process.pid, 2)  # as a terminal does it
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_reader_that_has_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)

    ended = subprocess.run(
        [sys.executable, "-m", "picam_webrtc.doctor", "--json", "--timeout=60"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)

    assert ended.stderr == ""
    assert ended.returncode in {0, 1}


def test_what_a_slow_machine_does_not_answer_in_time_is_unknown_and_the_end_says_how_to_complete_it() -> None:
    ended = doctor("--port=0", "--timeout=0.1")

    lines = ended.stdout.splitlines()
    unknown = [line.split()[1].rstrip(":") for line in lines if line.startswith("UNKNOWN")]
    (closing,) = (line for line in lines if line.startswith("INCOMPLETE: "))
    assert {"ROS", "middleware", "Fast", "numpy", "aiortc", "encoders"} <= set(unknown)
    assert f"INCOMPLETE: {len(unknown)} of " in closing
    assert closing.endswith(" → run doctor again with --timeout 20: what is read for the first time takes longer")
    assert "not tried: not tried" not in ended.stdout
    assert not any(line.startswith("ok") and ("not tried" in line or "no answer" in line) for line in lines)
    assert ended.returncode in {1, 3}  # no machine of ours answers within a tenth of a second


def test_the_json_says_whether_it_is_complete() -> None:
    report = json.loads(doctor("--json", "--port=0", "--timeout=0.1").stdout)

    assert not report["complete"]
    assert all(one["remedy"] for one in report["findings"] if one["level"] == "unknown")


@pytest.mark.parametrize("number", ["70000", "99999", "-1"])
def test_a_port_that_cannot_be_is_refused_with_the_range(number: str) -> None:
    ended = doctor(f"--port={number}")

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == f"doctor: error: argument --port: {number} must be from 0 to 65535"

"""The files in deploy/, as far as they can be held without a service manager and a container's."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from picam_webrtc.camera_settings import CAPTURE_SOCKET
from picam_webrtc_test.camera.capture_listener import FIRST_PASSED

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = ("picam-capture.socket", "picam-capture@.service")
DEBIANS_VIDEO_GROUP = "44"
"""base-passwd's group.master."""


def unit(name: str) -> dict[str, str]:
    """The last of each setting; sections do not matter for what is asked here."""
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if line and line[0] not in "#["]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def service() -> dict[str, Any]:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return dict(compose["services"]["picam_webrtc"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_a_unit(name: str, tmp_path: Path) -> None:
    for one in UNITS:
        shutil.copy(DEPLOY / one, tmp_path)
    checked = subprocess.run(
        ["systemd-analyze", "verify", f"./{name}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_unit_listens_where_camera_node_looks() -> None:
    listening = unit("picam-capture.socket")

    assert listening["ListenSequentialPacket"] == str(CAPTURE_SOCKET)
    assert listening["Accept"] == "yes"


def test_the_unit_runs_the_file_that_there_is_isolated_and_on_its_connection() -> None:
    program, option, script, descriptor = unit("picam-capture@.service")["ExecStart"].split()

    assert (program, option, descriptor) == ("/usr/bin/python3", "-I", str(FIRST_PASSED))
    assert (ROOT / Path(script).relative_to("/opt/picam_webrtc")).is_file()


def test_the_container_gets_the_sockets_folder_and_nothing_else_of_the_host(service: dict[str, Any]) -> None:
    binds = [(one["source"], one["target"]) for one in service["volumes"] if one["type"] == "bind"]

    assert binds == [(str(CAPTURE_SOCKET.parent),) * 2]
    assert not {"privileged", "devices", "device_cgroup_rules", "cap_add", "pid", "userns_mode"} & set(service)
    assert service["cap_drop"] == ["ALL"]
    assert (service["network_mode"], service["ipc"]) == ("host", "host")
    assert service["group_add"] == [DEBIANS_VIDEO_GROUP]
    assert unit("picam-capture.socket")["SocketGroup"] == "video"


def test_the_image_is_built_from_files_that_there_are(service: dict[str, Any]) -> None:
    context = DEPLOY / service["build"]["context"]
    dockerfile = context / service["build"]["dockerfile"]
    sources = re.findall(r"^COPY (\S+) ", dockerfile.read_text(), re.MULTILINE)

    assert sources == ["."]
    for program in ("install.sh", "resource/executables/picam_webrtc"):
        assert f"/opt/picam_webrtc/{program}" in dockerfile.read_text()
        assert os.access(context / program, os.X_OK)
    assert service["command"][0] == "/opt/picam_webrtc/resource/executables/picam_webrtc"

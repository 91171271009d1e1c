"""What the machine has left: a port, a disk, the right time."""

import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from picam_webrtc.doctor import machine
from picam_webrtc.doctor.finding import Level

LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def test_a_free_port_is_told_and_left_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]

    for _ in range(2):
        found = machine.port("127.0.0.1", number)
        assert found.level is Level.OK
        assert f"http://127.0.0.1:{number}/ is free; it is for this machine only" in found.found
    assert "for others too" in machine.port("0.0.0.0", number).found


@pytest.mark.parametrize(("name", "level"), [("another", Level.BROKEN), ("webrtc_node", Level.OK)])
def test_who_has_a_port_already_is_named(tmp_path: Path, name: str, level: Level) -> None:
    program = tmp_path / name
    program.write_text(LISTEN)
    command = [sys.executable, str(program), "--ros-args"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        found = machine.port("127.0.0.1", int(listener.stdout.readline()))
        listener.communicate()

    assert found.level is level
    assert f"process {listener.pid}: {sys.executable}" in found.found
    assert ("port:=" in found.remedy) == (level is Level.BROKEN)


def test_an_address_of_another_machine_is_told() -> None:
    found = machine.port("192.0.2.1", 8080)  # for documentation, RFC 5737

    assert found.level is Level.BROKEN
    assert found.found.endswith(": 192.0.2.1 is no address of this machine")
    assert "host:=0.0.0.0" in found.remedy


def test_an_address_of_version_6_is_in_brackets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]

    assert machine.port("::1", number).found.startswith(f"http://[::1]:{number}/")
    assert "[2001:db8::1]" in machine.port("2001:db8::1", number).found  # for documentation, RFC 3849


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b"])  # RFC 2606; an empty label
def test_a_name_that_does_not_resolve_is_told_as_such(name: str) -> None:
    found = machine.port(name, 8080)

    assert found.level is Level.BROKEN
    assert found.found == f"http://{name}:8080/: the name {name} does not resolve"
    assert "host:=0.0.0.0" in found.remedy


def test_a_disk_with_less_than_an_hour_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two streams of 2 Mbit/s: 2 * 2e6 / 8 * 3600 = 1.8 GB an hour."""
    free = SimpleNamespace(free=3.6e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    plenty = machine.disk(Path("/data"))
    free.free = 0.9e9
    little = machine.disk(Path("/data"))

    assert plenty.level is Level.OK
    assert plenty.found == "3.6 GB free in /data: 2.0 hours of recording two streams"
    assert little.level is Level.WARNING
    assert "record_to:=" in little.remedy


@pytest.mark.parametrize(
    ("year", "synchronised", "level"),
    [
        (2026, True, Level.OK),
        (2026, None, Level.OK),
        (2026, False, Level.WARNING),
        (1970, True, Level.BROKEN),
        (2106, False, Level.BROKEN),
    ],
)
def test_a_clock_that_is_wrong_is_told_with_the_remedy(year: int, synchronised: bool | None, level: Level) -> None:
    found = machine.clock(datetime(year, 1, 2, tzinfo=UTC), synchronised)

    assert found.level is level
    assert found.found.startswith(f"{year}-01-02")
    assert ("timedatectl set-ntp true" in found.remedy) == (level is not Level.OK)


def test_the_machine_is_named() -> None:
    found = machine.machine()

    assert found.level is Level.OK
    assert " cores, " in found.found

"""Python, the machine and what it has left: shared memory, disk, a free port, the right time."""

import ctypes
import errno
import ipaddress
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from picam_webrtc.dependencies import in_environment
from picam_webrtc.doctor.finding import Finding, broken, ok, warning
from picam_webrtc.settings import WebRtcSettings

GB = 1e9
RECORDED_STREAMS = 2
"""image_processed and image_raw, as `record:=true` records them."""
S_PER_HOUR = 3600
FIRST_YEAR, LAST_YEAR = 2025, 2100
"""A clock outside of them was never set: a Pi without a battery starts in the past."""
TIME_ERROR = 5
"""What adjtimex(2) returns while the clock is not synchronised."""
TIMEX_BYTES = 512
"""More than any struct timex has; its first field says what to change, and 0 changes nothing."""
SERVERS = ("webrtc_node", "picam_webrtc")
"""Executables of ours that listen."""
ANY_HOST = "choose an address of this machine, or all of them: host:=0.0.0.0"
NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
LONGEST_COMMAND = 100
"""Characters of another program's command line that are worth a line."""
WHEELS_GLIBC = (2, 28)
"""The lowest that the wheels of our dependencies are built for."""


def python() -> Finding:
    kind = "a virtual environment" if in_environment() else "the system's"
    return ok("Python", f"{platform.python_version()}, {kind} ({sys.executable})")


def machine() -> Finding:
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB
    what = f"{_model()}, {platform.machine()}, {os.cpu_count()} cores, {memory_gb:.1f} GB; {_system()}"
    if sys.maxsize < 1 << 32:
        return broken("machine", f"{what}, 32-bit", "install the 64-bit system: LiteRT has no package for this one")
    libc, version = platform.libc_ver()
    if libc == "glibc" and tuple(map(int, version.split(".")[:2])) < WHEELS_GLIBC:
        wanted = ".".join(map(str, WHEELS_GLIBC))
        return warning("machine", f"{what}, glibc {version}", f"take a system with glibc {wanted} or later")
    return ok("machine", what)


def _model() -> str:
    """A board's name from its device tree, else the processor's."""
    try:
        return Path("/proc/device-tree/model").read_text().rstrip("\0\n")
    except OSError:
        pass
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown machine"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown machine")


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def disk(folder: Path) -> Finding:
    """Where `record:=true` puts its bags unless told otherwise."""
    bytes_per_hour = RECORDED_STREAMS * WebRtcSettings().bitrate / 8 * S_PER_HOUR
    free = shutil.disk_usage(folder).free
    found = f"{free / GB:.1f} GB free in {folder}: {free / bytes_per_hour:.1f} hours of recording two streams"
    if free < bytes_per_hour:
        return warning("disk", found, "free some space, or record to another disk: record_to:=/path")
    return ok("disk", found)


def clock(now: datetime, synchronised: bool | None) -> Finding:
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    remedy = "sudo timedatectl set-ntp true (stamps, latencies, certificates and bags need the time)"
    if not FIRST_YEAR <= now.year < LAST_YEAR:
        return broken("clock", f"{found} cannot be", remedy)
    match synchronised:
        case True:
            return ok("clock", f"{found}, synchronised")
        case False:
            return warning("clock", f"{found}, not synchronised with others", remedy)
    return ok("clock", f"{found}; whether it is synchronised cannot be told here")


def is_synchronised() -> bool | None:
    """Whether the kernel's clock follows another; None where one may not ask."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    state = adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) if adjtimex else -1
    return None if state < 0 else state != TIME_ERROR


def port(host: str, number: int) -> Finding:
    """Whether webrtc_node could listen there: asked by binding for a moment."""
    where = f"http://{f'[{host}]' if ':' in host else host}:{number}/"
    if number == 0:
        return ok("port", f"{host}, any free one")
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as asyncio does
            listener.bind(address)
    except (socket.gaierror, UnicodeError):
        return broken("port", f"{where}: the name {host} does not resolve", ANY_HOST)
    except PermissionError:
        return broken("port", f"{where}: this user may not listen there", "choose one from 1024 up: port:=8080")
    except OSError as error:
        if error.errno in NO_SUCH_ADDRESS:
            return broken("port", f"{where}: {host} is no address of this machine", ANY_HOST)
        return _taken(where, number, error)
    loopback = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    seen_by = "this machine only (host:=0.0.0.0 opens it to others)" if loopback else "others too"
    return ok("port", f"{where} is free; it is for {seen_by}")


def _taken(where: str, number: int, error: OSError) -> Finding:
    process, command = next(_listeners(number), ("another program", ()))
    who = " ".join((f"{process}:", *command))[:LONGEST_COMMAND] if command else process
    if any(Path(word).name in SERVERS or word.startswith("picam_webrtc.") for word in command[:3]):
        return ok("port", f"{where} is webrtc_node's already ({who})")
    return broken("port", f"{where}: {error.strerror} ({who})", "stop that, or choose another port, such as port:=8081")


def _listeners(number: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who listens on that TCP port, and with which command line, as far as this user may see: proc(5), net/tcp."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == number
        }
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(os.readlink(entry) in inodes for entry in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().decode(errors="replace")
                yield f"process {process.name}", tuple(command.rstrip("\0").split("\0"))
        except OSError:  # another user's, or gone by now
            continue

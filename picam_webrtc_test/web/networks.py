"""Networks of a test's own, made of kernel namespaces: between viewer and robot there is TCP, a relay, and no UDP.

this namespace (robot) ── 10.77.1.0/24 ── relay ── 10.77.2.0/24 ── viewer
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

ROBOT, RELAY_NEAR, RELAY_FAR, VIEWER = "10.77.1.1", "10.77.1.2", "10.77.2.1", "10.77.2.2"
NO_UDP_ACROSS = "table inet f { chain c { type filter hook forward priority 0; meta l4proto udp drop; }; }"


@dataclass(frozen=True)
class Networks:
    """Names of the namespaces."""

    relay: str
    viewer: str


def inside(namespace: str, *command: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", namespace, *command)


@contextmanager
def relay_between() -> Iterator[Networks]:
    """For root only."""
    names = Networks(f"relay{os.getpid()}", f"viewer{os.getpid()}")
    near, far = f"n{os.getpid()}", f"f{os.getpid()}"
    with ExitStack() as stack:
        for name in (names.relay, names.viewer):
            _run("ip", "netns", "add", name)
            stack.callback(_run, "ip", "netns", "delete", name)
            _run(*inside(name, "ip", "link", "set", "lo", "up"))
        _run("ip", "link", "add", near, "type", "veth", "peer", "near", "netns", names.relay)
        # A namespace takes its links along only some time after it is gone, and the name would still be in use.
        stack.callback(_run, "ip", "link", "delete", near)
        _run("ip", "-n", names.relay, "link", "add", "far", "type", "veth", "peer", far, "netns", names.viewer)
        _run("ip", "address", "add", f"{ROBOT}/24", "dev", near)
        _run("ip", "link", "set", near, "up")
        _run("ip", "route", "add", "10.77.2.0/24", "via", RELAY_NEAR)
        for name, device, address in (
            (names.relay, "near", RELAY_NEAR),
            (names.relay, "far", RELAY_FAR),
            (names.viewer, far, VIEWER),
        ):
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            _run("ip", "-n", name, "link", "set", device, "up")
        # coturn gives up a whole session when it has no route to one of the robot's other addresses.
        _run("ip", "-n", names.relay, "route", "add", "default", "via", ROBOT)
        _run("ip", "-n", names.viewer, "route", "add", "default", "via", RELAY_FAR)
        _run(*inside(names.relay, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        _run(*inside(names.relay, "nft", NO_UDP_ACROSS))
        yield names


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)

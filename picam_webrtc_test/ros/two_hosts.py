"""Two hosts on one machine, for root: kernel namespaces `robot` and `ground`, and a cable between them.

robot 198.18.100.1 ── 198.18.100.2 ground
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from picam_webrtc.ros.process.shared_memory import PROFILE_VARIABLES

ADDRESSES = {"robot": "198.18.100.1", "ground": "198.18.100.2"}
CABLE = "cable"
UDP_ONLY = Path(__file__).with_name("udp_only.xml")
"""The hosts share a kernel: shared memory would reach across."""
QUEUE = ("burst", "32kb", "latency", "100ms")


def available() -> bool:
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("ip", "tc", "nft"))


@dataclass(frozen=True)
class TwoHosts:
    """`robot` and `ground` are commands that run what follows them on that host."""

    names: Mapping[str, str]

    @property
    def robot(self) -> tuple[str, ...]:
        return self._on("robot")

    @property
    def ground(self) -> tuple[str, ...]:
        return self._on("ground")

    @property
    def environment(self) -> dict[str, str]:
        profile = dict.fromkeys(PROFILE_VARIABLES, str(UDP_ONLY))
        return {**profile, "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}

    def narrow(self, megabits_per_s: int) -> None:
        """Let through no more than that, either way."""
        shape = ("rate", f"{megabits_per_s}mbit", *QUEUE)
        for name in self.names.values():
            _run("ip", "netns", "exec", name, "tc", "qdisc", "replace", "dev", CABLE, "root", "tbf", *shape)

    def lose(self, percent: int) -> None:
        """Drop that share of the packets, at random, either way."""
        rules = f"""table inet loss {{
            chain input {{
                type filter hook input priority 0
                iifname {CABLE} numgen random mod 100 < {percent} drop
            }}
        }}
        """
        for name in self.names.values():
            _run("ip", "netns", "exec", name, "nft", "-f", "-", text=rules)

    def received_bytes(self) -> int:
        """What has come to the ground so far, with all headers."""
        shown = _run("ip", "-n", self.names["ground"], "-json", "-stats", "link", "show", "dev", CABLE)
        (link,) = json.loads(shown)
        return int(link["stats64"]["rx"]["bytes"])

    def _on(self, host: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.names[host])


@contextmanager
def two_hosts() -> Iterator[TwoHosts]:
    names = {host: f"{host}{os.getpid()}" for host in ADDRESSES}
    made: list[str] = []
    try:
        for name in names.values():
            _run("ip", "netns", "add", name)
            made.append(name)
        _run("ip", "-n", names["robot"], "link", "add", CABLE, "type", "veth", "peer", CABLE, "netns", names["ground"])
        for host, name in names.items():
            # One packet at a time, as on a real cable: else offloaded packets would be lost together.
            _run("ip", "-n", name, "link", "set", CABLE, "gso_max_segs", "1")
            _run("ip", "-n", name, "address", "add", f"{ADDRESSES[host]}/24", "dev", CABLE)
            _run("ip", "-n", name, "link", "set", CABLE, "up")
            _run("ip", "-n", name, "link", "set", "lo", "up")
            # For multicast, by which nodes discover each other.
            _run("ip", "-n", name, "route", "add", "default", "dev", CABLE)
        yield TwoHosts(names)
    finally:
        for name in made:
            _run("ip", "netns", "delete", name)


def python(module: str, *arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", module, *arguments)


def _run(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=20).stdout

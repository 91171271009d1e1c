"""Bad links to order: a network namespace behind a pair of virtual interfaces, and a viewer that lives in there.

Needs root, iproute2 and nftables.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from picam_webrtc.streaming.session.session import Session
from picam_webrtc.streaming.session.sessions import Sessions

POLL_S, SEE_TIMEOUT_S = 0.1, 60.0

_numbers = count(1)


def available() -> bool:
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("ip", "tc", "nft"))


@dataclass(frozen=True)
class Link:
    """`namespace` is reached through the interface `near`, and reaches this host at `address`."""

    namespace: str
    near: str
    address: str

    def lose(self, percent: int) -> None:
        """Drop that share of the packets that arrive in the namespace, at random."""
        rules = f"""table inet loss {{
            chain input {{
                type filter hook input priority 0
                meta l4proto udp numgen random mod 100 < {percent} drop
            }}
        }}
        """
        _run(*self.inside(), "nft", "-f", "-", text=rules)

    def narrow(self, kbit_per_s: int) -> None:
        """Let through no more than that; 300 ms of packets wait, the rest is dropped."""
        shape = ("rate", f"{kbit_per_s}kbit", "burst", "10kb", "latency", "300ms")
        _run("tc", "qdisc", "replace", "dev", self.near, "root", "tbf", *shape)

    def widen(self) -> None:
        _run("tc", "qdisc", "del", "dev", self.near, "root")

    @asynccontextmanager
    async def viewer(self) -> AsyncIterator["FarViewer"]:
        async with far_viewer(*self.inside()) as viewer:
            yield viewer

    def inside(self) -> tuple[str, ...]:
        """The command that runs what follows it in the namespace."""
        return ("ip", "netns", "exec", self.namespace)


@contextmanager
def link() -> Iterator[Link]:
    """A namespace of its own, connected and good."""
    number = next(_numbers)
    namespace, near, far = f"far{os.getpid()}_{number}", f"n{os.getpid()}_{number}", f"f{os.getpid()}_{number}"
    near_address, far_address = f"198.18.{number}.1", f"198.18.{number}.2"
    _run("ip", "netns", "add", namespace)
    try:
        # An IPv6 address that comes a second later is a change of network to a browser: it drops what it is loading.
        _run("ip", "netns", "exec", namespace, "sysctl", "-qew", "net.ipv6.conf.default.disable_ipv6=1")
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", namespace)
        # One packet at a time, as on a cable: else offloaded packets would be lost together.
        _run("ip", "link", "set", near, "gso_max_segs", "1")
        _run("ip", "addr", "add", f"{near_address}/24", "dev", near)
        _run("ip", "link", "set", near, "up")
        for words in (
            ("addr", "add", f"{far_address}/24", "dev", far),
            ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
        ):
            _run("ip", "-n", namespace, *words)
        yield Link(namespace, near, near_address)
    finally:
        _run("ip", "netns", "del", namespace)


class FarViewer:
    """`picam_webrtc_test.streaming.far_viewer`, a process that decodes what it receives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def watch(self, sessions: Sessions, stream_name: str) -> Session:
        offer = await self._ask(op="offer")
        session = await sessions.answer(stream_name, offer["sdp"])
        await self._ask(op="answer", sdp=session.sdp)
        return session

    async def frames(self) -> int:
        """Decoded so far."""
        return int((await self._ask(op="count"))["frames"])

    async def see(self, count: int) -> None:
        """Wait until that many more are decoded."""
        goal = await self.frames() + count
        async with asyncio.timeout(SEE_TIMEOUT_S):
            while await self.frames() < goal:  # noqa: ASYNC110 -- another process's condition
                await asyncio.sleep(POLL_S)

    async def frame_rate(self, seconds: float) -> float:
        """Decoded frames a second, over that time."""
        before = await self.frames()
        await asyncio.sleep(seconds)
        return (await self.frames() - before) / seconds

    async def _ask(self, **request: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer


@asynccontextmanager
async def far_viewer(*prefix: str) -> AsyncIterator[FarViewer]:
    """A viewer in a process of its own, started behind `prefix`."""
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-m", "picam_webrtc_test.streaming.far_viewer"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield FarViewer(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def _run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)

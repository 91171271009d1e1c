"""go2rtc, a real media server, as the far end of publishing: built from pinned sources, run on loopback alone.

Used by tests and by `bench.publish`.
"""

import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

MODULE = Path(__file__).parent / "go2rtc"
PACKAGE = "github.com/AlexxIT/go2rtc"
BUILD_TIMEOUT_S = 600.0
START_TIMEOUT_S = 20.0


class NoMediaServer(RuntimeError):
    """go2rtc cannot be built here."""


def go2rtc_program() -> Path:
    """Built once for each version, into the user's cache. Raises NoMediaServer."""
    pinned = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "picam_webrtc" / f"go2rtc-{pinned}"
    program = cache / "go2rtc"
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise NoMediaServer("go2rtc is built with Go, which is not installed")
    environment = {**os.environ, "GOBIN": str(cache), "CGO_ENABLED": "0"}
    command = ["go", "install", "-mod=readonly", "-buildvcs=false", "-trimpath", PACKAGE]
    build = subprocess.run(
        command, cwd=MODULE, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if build.returncode:
        raise NoMediaServer(f"go2rtc cannot be built: {build.stderr.strip()[-300:]}")
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Go2rtc:
    """One server; `kill` and `start` again keep its address. `streams` are names and their sources, if any."""

    def __init__(
        self, program: Path, directory: Path, streams: Mapping[str, str], api: Mapping[str, Any] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = program
        self._log = directory / f"go2rtc-{self.port}.log"
        self._configuration = directory / f"go2rtc-{self.port}.json"
        self._configuration.write_text(json.dumps(self._settings(streams, api or {})))
        self._process: asyncio.subprocess.Process | None = None

    def _settings(self, streams: Mapping[str, str], api: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing but loopback: no STUN server, no other listener, no other module."""
        return {
            "app": {"modules": ["api", "ws", "webrtc"]},
            "api": {"listen": f"127.0.0.1:{self.port}", **api},
            "webrtc": {
                "listen": "",
                "ice_servers": [],
                "filters": {"loopback": True, "ips": ["127.0.0.1"], "networks": ["udp4"]},
            },
            "log": {"level": "debug", "format": "text", "output": "stdout"},
            "streams": {name: source or None for name, source in streams.items()},
        }

    def whip(self, stream: str) -> str:
        return f"{self.url}/api/webrtc?dst={stream}"

    def whep(self, stream: str) -> str:
        return f"{self.url}/api/webrtc?src={stream}"

    def readers(self, stream: str) -> str:
        return f"{self.url}/api/streams?src={stream}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, "-config", self._configuration, stdout=log, stderr=log
            )
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await self._answers():
                assert self._process.returncode is None, self.log
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """As by the kernel: nobody is told. Idempotent."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def go2rtc(
    directory: Path, streams: Mapping[str, str], api: Mapping[str, Any] | None = None
) -> AsyncIterator[Go2rtc]:
    server = Go2rtc(await asyncio.to_thread(go2rtc_program), directory, streams, api)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


async def stream_state(http: aiohttp.ClientSession, server: Go2rtc, stream: str) -> dict[str, Any]:
    """What go2rtc tells of a stream: its `producers` and `consumers`."""
    async with http.get(server.readers(stream)) as response:
        state: dict[str, Any] = await response.json()
        return state

"""Listening: from an application to an address, and back to silence within a second."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings

SHUTDOWN_TIMEOUT_S = 0.2
"""Open streams of viewers never end by themselves; this is all the grace they get (aiohttp waits it twice)."""

ANY_INTERFACE = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: `port` is the real one also where the setting was 0."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """What a person types on this machine, or on another where every interface is served."""
        host = socket.gethostname() if self.host in ANY_INTERFACE else self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"


@asynccontextmanager
async def serve(app: web.Application, settings: WebRtcSettings) -> AsyncIterator[Address]:
    """Listen on `settings.host` and `settings.port`. Raises SettingError where that cannot be."""
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_TIMEOUT_S, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise _explain(error, settings) from error
        port: int = runner.addresses[0][1]
        yield Address("http", settings.host, port)
    finally:
        await runner.cleanup()


def _explain(error: OSError, settings: WebRtcSettings) -> SettingError:
    if error.errno == errno.EADDRINUSE:
        return SettingError(
            "port", settings.port, "another program listens there; stop it, or choose another port (0: any free)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SettingError("port", settings.port, "this user may not listen there; choose a port from 1024 up")
    return SettingError("host", settings.host, f"is no address of this machine ({error.strerror})")

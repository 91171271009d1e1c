"""Listening: from an application to an address, and back to silence within a second."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http import HttpProcessingError

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import tls
from picam_webrtc.web.auth import ACCESS
from picam_webrtc.web.connections import ConnectionLimit

http_logger = logging.getLogger(f"{__name__}.http")

SHUTDOWN_TIMEOUT_S = 0.2
"""Open streams of viewers never end by themselves; this is all the grace they get (aiohttp waits it twice)."""

LINGERING_S = 1.0
"""How long the rest of a refused body is read, so that its sender gets to see the answer."""

TLS_HANDSHAKE_TIMEOUT_S = 5.0

SOMEWHERE_ELSE = ("198.51.100.1", 9)
"""Of a network for documentation (RFC 5737): behind the default route."""

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
        host = _outward_address() if self.host in ANY_INTERFACE else self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"


def _outward_address() -> str:
    """The address from which this machine reaches others, or its name where it reaches nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOMEWHERE_ELSE)  # chooses a route and sends nothing
        except OSError:
            return socket.gethostname()
        address: str = probe.getsockname()[0]
        return address


def _is_our_fault(record: logging.LogRecord) -> bool:
    """False for what is no HTTP: aiohttp would log it, and the token that may be in it, with a traceback each."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


http_logger.addFilter(_is_our_fault)


@asynccontextmanager
async def serve(app: web.Application, settings: WebRtcSettings) -> AsyncIterator[Address]:
    """Listen on `settings.host` and `settings.port`. Raises SettingError where that cannot be."""
    files = await asyncio.to_thread(tls.certificate_files, settings)
    runner = web.AppRunner(
        app,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        access_log=None,  # its lines would hold the tokens of addresses
        logger=http_logger,
        keepalive_timeout=settings.connection_idle_timeout,
        lingering_time=LINGERING_S,
        auto_decompress=False,  # no viewer compresses its offer; a bomb stays as small as it came
    )
    async with AsyncExitStack() as stack:
        context = tls.make_context(files) if files else None
        if context and files:
            await stack.enter_async_context(tls.reloading(context, files))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = await _listen(runner, settings, context)
        stack.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        yield Address("https" if context else "http", settings.host, port)


async def _listen(runner: web.AppRunner, settings: WebRtcSettings, context: ssl.SSLContext | None) -> asyncio.Server:
    limit = ConnectionLimit(
        lambda: runner.server(),  # type: ignore[misc]  # set up by now
        settings.max_connections,
        settings.max_connections_per_address,
        settings.connection_idle_timeout,
    )
    handshake_timeout_s = TLS_HANDSHAKE_TIMEOUT_S if context else None
    try:
        return await asyncio.get_running_loop().create_server(
            limit, settings.host, settings.port, ssl=context, ssl_handshake_timeout=handshake_timeout_s
        )
    except OSError as error:
        raise _explain(error, settings) from error


def page_links(app: web.Application, address: Address) -> tuple[str, ...]:
    """To be printed once, at the terminal and to no log: a made token is in these lines and nowhere else."""
    tokens = app[ACCESS].tokens
    if not tokens.minted:
        return (f"The page is at {address.url}",)
    return (
        f"The page for viewers is at {address.url}?token={tokens.viewer}",
        f"The page for operators is at {address.url}?token={tokens.operator}",
    )


def _explain(error: OSError, settings: WebRtcSettings) -> SettingError:
    if error.errno == errno.EADDRINUSE:
        return SettingError(
            "port", settings.port, "another program listens there; stop it, or choose another port (0: any free)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SettingError("port", settings.port, "this user may not listen there; choose a port from 1024 up")
    # asyncio's own text repeats the address; the system's is the last part of it.
    return SettingError("host", settings.host, f"is no address of this machine ({error.strerror})")

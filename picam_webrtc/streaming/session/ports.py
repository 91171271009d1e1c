"""UDP ports from a range, for firewalls: aioice, like most, binds to any free one and has no setting for it."""

import asyncio
import errno
import functools
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings

ANY_PORT = range(0)
_ports: ContextVar[range] = ContextVar("udp_ports", default=ANY_PORT)


def ice_ports(settings: WebRtcSettings) -> range:
    """The range that the parameters give, `ANY_PORT` where they give none. Raises SettingError."""
    first, last = settings.ice_port_min, settings.ice_port_max
    if not first and not last:
        return ANY_PORT
    if not 0 < first <= last:
        raise SettingError("ice_port_min", first, f"must be from 1 to ice_port_max, which is {last}; or both 0")
    return range(first, last + 1)


@contextmanager
def udp_ports(ports: range) -> Iterator[None]:
    """Inside the block, tasks are made whose datagram sockets bind to one of `ports` where they would to any.

    The running loop learns it at the first use; its other tasks are not concerned.
    """
    loop = asyncio.get_running_loop()
    create: Any = loop.create_datagram_endpoint
    if ports and getattr(create, "func", None) is not _bind:
        loop.create_datagram_endpoint = functools.partial(_bind, create)  # type: ignore[method-assign]
    token = _ports.set(ports)
    try:
        yield
    finally:
        _ports.reset(token)


async def _bind(
    create: Callable[..., Awaitable[Any]],
    protocol_factory: Callable[[], asyncio.DatagramProtocol],
    local_addr: tuple[str, int] | None = None,
    **options: Any,
) -> Any:
    """Stands for the loop's `create_datagram_endpoint`. Raises OSError where no port of the range is free."""
    ports = _ports.get()
    if not ports or local_addr is None or local_addr[1] != 0:
        return await create(protocol_factory, local_addr=local_addr, **options)
    # In any order, because the first ones are the likeliest to be taken.
    for port in secrets.SystemRandom().sample(ports, len(ports)):
        try:
            return await create(protocol_factory, local_addr=(local_addr[0], port), **options)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no UDP port from {ports[0]} to {ports[-1]} is free on {local_addr[0]}")

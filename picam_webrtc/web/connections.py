"""How many HTTP connections are open, and how long a silent one may stay.

aiohttp bounds what happens after a request's head has arrived; what happens before it, and how many connections there
are, is bounded here, in front of it.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from picam_webrtc.web.limits import address_key

END_OF_HEAD = b"\r\n\r\n"
RETRY_AFTER_S = 5


@dataclass(slots=True)
class ConnectionLimit:
    """A protocol factory that lets in `max_connections`, `max_per_address` of them from one address.

    A connection whose first request's head is not whole after `idle_timeout_s` is closed with 408; a peer that reads
    nothing or has vanished for as long is dropped by the kernel.
    """

    make_protocol: Callable[[], asyncio.Protocol]
    max_connections: int
    max_per_address: int
    idle_timeout_s: float
    by_address: Counter[str] = field(default_factory=Counter)

    def __call__(self) -> asyncio.Protocol:
        return _LimitedConnection(self)

    @property
    def connections(self) -> int:
        return self.by_address.total()

    def admit(self, address: str) -> bool:
        if self.connections >= self.max_connections or self.by_address[address] >= self.max_per_address:
            return False
        self.by_address[address] += 1
        return True

    def release(self, address: str) -> None:
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]


class _LimitedConnection(asyncio.Protocol):
    """One connection: hands everything on to aiohttp's protocol once it is let in."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self._limit = limit
        self._inner: asyncio.Protocol | None = None
        self._address = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = address_key(peer[0] if peer else "")
        if not self._limit.admit(self._address):
            _say_and_close(transport, "503 Service Unavailable", f"Retry-After: {RETRY_AFTER_S}\r\n")
            return
        _drop_when_unread(transport, self._limit.idle_timeout_s)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._limit.idle_timeout_s, _time_out, transport)
        self._inner = self._limit.make_protocol()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            seen = self._tail + data
            self._tail = seen[-len(END_OF_HEAD) + 1 :]
            if END_OF_HEAD in seen:
                self._cancel_deadline()
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._inner is not None:
            self._limit.release(self._address)
            self._inner.connection_lost(exc)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _time_out(transport: asyncio.Transport) -> None:
    _say_and_close(transport, "408 Request Timeout")


def _say_and_close(transport: asyncio.Transport, status: str, headers: str = "") -> None:
    transport.write(f"HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
    transport.close()


def _drop_when_unread(transport: asyncio.Transport, timeout_s: float) -> None:
    """Have the kernel end a connection whose peer acknowledges, or accepts, nothing for that long (tcp(7))."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(timeout_s * 1000))

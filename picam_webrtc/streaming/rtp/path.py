"""The ways of packets to a viewer: straight into its UDP socket, many to a system call, or through a relay.

Sending many at once uses UDP segmentation offload (udp(7)), and stops using it on a route that has none.
"""

import errno
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from picam_webrtc.streaming.rtp.packets import Run

logger = logging.getLogger(__name__)

UDP_SEGMENT = 103
"""From linux/udp.h; Python's socket module has no name for it."""
MOST_SEGMENTS = 60
"""Of one system call: the kernel takes 64 and at most 64 KiB."""
MOST_BYTES = 60_000
NO_ROOM = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})
NO_OFFLOAD = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.ENOSYS})
MOST_WAITING_BYTES = 256 * 1024
"""In the send buffer of a transport that keeps what the socket does not take."""


class Path(Protocol):
    """A way of datagrams to one address."""

    @property
    def name(self) -> str: ...

    def send_run(self, view: memoryview, run: Run) -> bool:
        """Send the packets of `run`, `view` being all of its bytes; False when there is no room for them."""

    def close(self) -> None: ...


class SocketPath:
    """Straight into the UDP socket of a connection. Owns a duplicate of it, so that closing either is harmless."""

    def __init__(self, descriptor: int, address: tuple[str, int], offload: bool = True) -> None:
        self.offload = offload
        self._address = address
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._socket.setblocking(False)

    @property
    def name(self) -> str:
        return "udp+gso" if self.offload else "udp"

    def send_run(self, view: memoryview, run: Run) -> bool:
        try:
            if not self.offload or run.last - run.first == 1:
                self._send_each(view, run.stride)
            else:
                self._send_segments(view, run.stride)
        except OSError as error:
            return self._survived(error, view, run)
        return True

    def close(self) -> None:
        self._socket.close()

    def _send_each(self, view: memoryview, stride: int) -> None:
        for start in range(0, len(view), stride):
            self._socket.sendto(view[start : start + stride], self._address)

    def _send_segments(self, view: memoryview, stride: int) -> None:
        """Let the kernel cut `view` into datagrams of `stride` bytes."""
        size = min(MOST_SEGMENTS, MOST_BYTES // stride) * stride
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", stride))]
        for start in range(0, len(view), size):
            self._socket.sendmsg([view[start : start + size]], control, 0, self._address)

    def _survived(self, error: OSError, view: memoryview, run: Run) -> bool:
        if error.errno in NO_ROOM:
            return False
        if self.offload and error.errno in NO_OFFLOAD:
            logger.info("UDP segmentation offload does not work on this route (%s); packets go one by one", error)
            self.offload = False
            return self.send_run(view, run)
        # A route that is down now may be up for the next frame; that the viewer is gone, ICE finds out.
        logger.debug("Packets were not sent: %s", error)
        return True


class DatagramTransport(Protocol):
    def sendto(self, data: bytes, address: tuple[str, int], /) -> None: ...


class TransportPath:
    """Through the connection's own transport, for relays (TURN), which wrap every packet."""

    name = "relay"

    def __init__(self, transport: DatagramTransport, address: tuple[str, int]) -> None:
        self._transport = transport
        self._address = address
        self._waiting = getattr(transport, "get_write_buffer_size", lambda: 0)

    def send_run(self, view: memoryview, run: Run) -> bool:
        if self._waiting() > MOST_WAITING_BYTES:
            return False
        for start in range(0, len(view), run.stride):
            self._transport.sendto(bytes(view[start : start + run.stride]), self._address)
        return True

    def close(self) -> None:
        """The transport belongs to the connection."""


class CurrentPath:
    """The way that ICE has chosen, followed when it changes. `nominated` gives aioice's candidate pair, if any."""

    def __init__(self, nominated: Callable[[], Any]) -> None:
        self._nominated = nominated
        self._pair: Any = None
        self._path: Path | None = None
        self._closed = False

    def __call__(self) -> Path | None:
        pair = None if self._closed else self._nominated()
        if pair is not self._pair:
            if self._path is not None:
                self._path.close()
            self._pair, self._path = pair, path_of(pair) if pair is not None else None
        return self._path

    def close(self) -> None:
        """For good: while a connection ends ICE may still choose another way, and there are frames to send."""
        self._closed = True
        self()  # lets go of the way that there was


def path_of(pair: Any) -> Path:
    """Straight for a socket of ours; a relay's packets have to be wrapped by its transport."""
    transport = pair.protocol.transport
    plain = transport.get_extra_info("socket") if pair.local_candidate.type != "relay" else None
    return TransportPath(transport, pair.remote_addr) if plain is None else SocketPath(plain.fileno(), pair.remote_addr)

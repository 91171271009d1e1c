"""Encryption of packets in place, straight by libsrtp and without pylibsrtp's copies.

That is tried out first, and replaced by pylibsrtp's own way where it does not work.
"""

import functools
import logging
from typing import Any

import pylibsrtp

logger = logging.getLogger(__name__)


class Scratch:
    """The buffer in which packets are encrypted, one viewer after the other."""

    def __init__(self) -> None:
        self.view = memoryview(b"")
        self.address: Any = None
        self._length: Any = None
        self.hold(64 * 1024)

    def hold(self, size: int) -> None:
        """Make room for `size` bytes."""
        if size > len(self.view):
            buffer = bytearray(size * 2)
            self.view = memoryview(buffer)
            if _ffi is not None:
                self.address = _ffi.from_buffer("unsigned char[]", buffer)
                self._length = _ffi.new("int *")

    def protect(self, srtp: Any, offset: int, length: int) -> int:
        """Encrypt the packet at `offset` in place with the libsrtp context; its new length."""
        self._length[0] = length
        status = _lib.srtp_protect(srtp, self.address + offset, self._length)
        if status:
            raise pylibsrtp.Error(f"libsrtp refused a packet with status {status}")
        return int(self._length[0])


def _binding() -> tuple[Any, Any]:
    """pylibsrtp's view of libsrtp, if it looks as expected."""
    try:
        from pylibsrtp._binding import ffi, lib
    except ImportError:
        return None, None
    return (ffi, lib) if hasattr(lib, "srtp_protect") and hasattr(ffi, "from_buffer") else (None, None)


_ffi, _lib = _binding()


class Protector:
    """Encrypts one viewer's packets with its SRTP session."""

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session
        self._context = session._srtp[0] if direct_srtp_works() else None

    def protect(self, scratch: Scratch, offset: int, length: int) -> int:
        """Encrypt the packet of `length` bytes at `offset` in place; its new length."""
        if self._context is not None:
            return scratch.protect(self._context, offset, length)
        protected = self._session.protect(bytes(scratch.view[offset : offset + length]))
        scratch.view[offset : offset + len(protected)] = protected
        return len(protected)

    @functools.cached_property
    def tag_size(self) -> int:
        """Bytes that encryption adds to a packet, found by trying with a packet that is never sent."""
        probe = bytes([0x80, 0]) + bytes(30)
        return len(self._session.protect(probe)) - len(probe)


@functools.cache
def direct_srtp_works() -> bool:
    """Whether libsrtp called directly gives what pylibsrtp gives."""
    if _ffi is None:
        return False
    packet = bytes([0x80, 96, 0, 1]) + bytes(range(60))
    key = bytes(range(30))
    try:
        sessions = [
            pylibsrtp.Session(pylibsrtp.Policy(key=key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND)) for _ in range(2)
        ]
        scratch = Scratch()
        scratch.view[8 : 8 + len(packet)] = packet
        length = scratch.protect(sessions[0]._srtp[0], 8, len(packet))
        works: bool = bytes(scratch.view[8 : 8 + length]) == sessions[1].protect(packet)
    except (AttributeError, TypeError, ValueError, pylibsrtp.Error) as error:
        logger.warning("libsrtp cannot be called directly (%s); packets are copied", error)
        return False
    return works

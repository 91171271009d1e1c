"""What camera_node and a capture process say to each other: one JSON object a message, `{kind: content}`.

They are connected by a Unix socket of type SOCK_SEQPACKET, which keeps messages whole and in order (unix(7)).
camera_node asks, and gets an answer to each request, in order:

| request | answer | |
| --- | --- | --- |
| hello | hello | versions, before all else |
| make | made | parameters → the camera that they mean |
| probe | probed | its controls |
| list | listed, several | what list_cameras prints |
| open | opened | and with it the memory of each stream, by SCM_RIGHTS |
| any | refused | a SettingError or a CameraError |

`apply` (a plan of controls) and `release` (slots that nobody looks at any more) have no answer. Unasked the capture
process sends `frames`, `log`, `alive` where no frames come, and `fault` before it closes the camera. The end of the
connection closes the camera and ends the process.
"""

import array
import json
import os
import select
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from picam_webrtc.camera.wire_data import pack, unpack
from picam_webrtc.errors import CameraError, SettingError

PROTOCOL = 1
"""Changes only where one side would no longer understand the other: both ignore fields that they do not know."""
LARGEST_MESSAGE_BYTES = 65536
MOST_STREAMS = 2
MESSAGES_WITH_MEMORY = frozenset({"opened"})
PACKED_MESSAGES = frozenset({"frames"})
"""Their contents are left in terms of JSON, for whoever can read them faster (frames_message.py)."""
ANCILLARY_BYTES = socket.CMSG_SPACE(MOST_STREAMS * array.array("i").itemsize)
UPLOAD_LIMIT_S = 300.0
"""How long a camera may take to open whose sensor gets a network: the first time takes minutes."""
MS_PER_S = 1000
ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
DECODER = json.JSONDecoder()
"""Both made once, and used without what json.dumps and json.loads do before: at thirty times a second nothing of it is
in the processor's cache."""


class LinkEnded(CameraError):
    """The other side has closed the connection, or died."""


class MessageTooLong(CameraError):
    """Nothing of it was sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """`memory` are file descriptors, which the receiver must close."""

    kind: str
    content: Any
    memory: tuple[int, ...] = ()


class Link:
    """One end of a connection. Any thread may send, one may receive."""

    def __init__(self, connection: socket.socket) -> None:
        """Raises CameraError when that is no such socket."""
        if connection.family != socket.AF_UNIX or connection.type != socket.SOCK_SEQPACKET:
            raise CameraError("a capture process needs a Unix socket of type SOCK_SEQPACKET")
        connection.setblocking(False)
        self._socket = connection
        self._buffer = memoryview(bytearray(LARGEST_MESSAGE_BYTES))
        self._readable = select.poll()
        self._readable.register(connection, select.POLLIN)

    def send(
        self,
        kind: str,
        content: Any = None,
        memory: Sequence[int] = (),
        *,
        timeout_s: float = 0.0,
    ) -> bool:
        """Whether it went in that time; if not, the other side has stopped reading.

        Raises LinkEnded, MessageTooLong.
        """
        data = _encoded(kind, pack(content))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", memory))] if memory else []
        if self._send_now(data, rights):
            return True
        if timeout_s:
            writable = select.poll()
            writable.register(self._socket, select.POLLOUT)
            writable.poll(timeout_s * MS_PER_S)
        return bool(timeout_s) and self._send_now(data, rights)

    def send_packed(self, kind: str, content: Any) -> bool:
        """The same of what is in terms of JSON already, at once or not at all."""
        return self._send_now(_encoded(kind, content), [])

    def _send_now(self, data: bytes, rights: list[tuple[int, int, "array.array[int]"]]) -> bool:
        try:
            self._socket.sendmsg([data], rights)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LinkEnded(f"the connection has ended ({error.strerror})") from error
        return True

    def receive(self, timeout_s: float | None) -> Message | None:
        """The next message; None when there is none in that time, which may be 0 or None: for ever.

        Raises LinkEnded, and CameraError for what is no message.
        """
        # Asking first costs less than the exception that a socket makes of having nothing.
        if not self._readable.poll(None if timeout_s is None else timeout_s * MS_PER_S):
            return None
        try:
            try:
                data, memory, flags = self._received()
            except ConnectionResetError:  # the other side ended with something unread; what it said before that counts
                data, memory, flags = self._received()
        except OSError as error:
            raise LinkEnded(f"the connection has ended ({error.strerror})") from error
        return _message(data, memory, flags)

    def _received(self) -> tuple[bytes, tuple[int, ...], int]:
        length, ancillary, flags, _ = self._socket.recvmsg_into(
            [self._buffer], ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
        )
        return self._buffer[:length].tobytes(), _descriptors(ancillary) if ancillary else (), flags

    def end_sending(self) -> None:
        """Tell the other side that nothing more comes, which ends it."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # it has ended already
            return

    def close(self) -> None:
        self._socket.close()


class Deadline:
    """A moment that comes closer."""

    def __init__(self, timeout_s: float) -> None:
        self._due_s = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        return max(0.0, self._due_s - time.monotonic())


def _encoded(kind: str, content: Any) -> bytes:
    data = ENCODER.encode({kind: content}).encode()
    if len(data) > LARGEST_MESSAGE_BYTES:
        raise MessageTooLong(f"{len(data)} bytes are more than the {LARGEST_MESSAGE_BYTES} of a message")
    return data


def _message(data: bytes, memory: tuple[int, ...], flags: int) -> Message:
    try:
        if not data:
            raise LinkEnded("the connection has ended")
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise CameraError(f"a message of more than {LARGEST_MESSAGE_BYTES} bytes or {MOST_STREAMS} descriptors")
        kind, content = _content(data)
        if memory and kind not in MESSAGES_WITH_MEMORY:
            raise CameraError(f"descriptors came with the message {kind!r:.40}")
    except CameraError:
        close_all(memory)
        raise
    return Message(kind, content, memory)


def _content(data: bytes) -> tuple[str, Any]:
    try:
        text = data.decode()
        found, end = DECODER.raw_decode(text)
        if end != len(text):
            raise ValueError("there is more behind it")
        ((kind, content),) = found.items()
        return kind, content if kind in PACKED_MESSAGES else unpack(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CameraError(f"a message that is none of picam_webrtc's ({error}): {data[:60]!r}") from error


def _descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return tuple(found)


def close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def refusal(error: CameraError | SettingError) -> dict[str, Any]:
    """`error` as the content of `refused`."""
    if isinstance(error, SettingError):
        return {"parameter": error.parameter, "value": error.value, "reason": error.reason}
    return {"text": str(error)}


def refused(content: Any) -> CameraError | SettingError:
    """The error that `refusal` was given."""
    match content:
        case {"parameter": str(parameter), "value": value, "reason": str(reason)}:
            return SettingError(parameter, value, reason)
        case {"text": str(text)}:
            return CameraError(text)
    return CameraError(f"a refusal that is none of picam_webrtc's: {content!r:.60}")

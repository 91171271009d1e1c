"""One connection: whole messages, descriptors that are nobody's leak, and an end that is seen."""

import array
import json
import os
import socket
from collections.abc import Iterator

import pytest

from picam_webrtc.camera.protocol import (
    LARGEST_MESSAGE_BYTES,
    Link,
    LinkEnded,
    Message,
    MessageTooLong,
    close_all,
    refusal,
    refused,
)
from picam_webrtc.errors import CameraError, SettingError

Ends = tuple[Link, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Our end, and the bare other one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link = Link(ours)
    yield link, theirs
    link.close()
    theirs.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def send_memory(sender: socket.socket, text: bytes, count: int) -> None:
    read, write = os.pipe()
    rights = array.array("i", [read] * count)
    sender.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    os.close(read)
    os.close(write)


def test_a_message_goes_as_one_json_object(ends: Ends) -> None:
    link, other = ends

    assert link.send("open", {"controls": None})
    assert json.loads(other.recv(1000)) == {"open": {"dict": {"controls": None}}}


def test_a_message_comes_whole_and_in_order(ends: Ends) -> None:
    link, other = ends
    other.send(b'{"hello":{"map":[["protocol",1]]}}')
    other.send(b'{"fault":{"map":[["text","no link"]]}}')

    assert link.receive(1) == Message("hello", {"protocol": 1})
    assert link.receive(0) == Message("fault", {"text": "no link"})
    assert link.receive(0) is None
    assert link.receive(0.01) is None


def test_memory_comes_with_its_message(ends: Ends) -> None:
    link, other = ends
    send_memory(other, b'{"opened":{"map":[]}}', 2)
    message = link.receive(1)

    assert message is not None
    assert len(message.memory) == 2
    assert not any(os.get_inheritable(descriptor) for descriptor in message.memory)
    close_all(message.memory)


@pytest.mark.parametrize(
    ("text", "count"), [(b'{"log":null}', 1), (b"no json", 2), (b'{"opened":{"map":[]}}', 3), (b'{"opened":', 1)]
)
def test_memory_that_nobody_expects_is_an_error_and_closed(ends: Ends, text: bytes, count: int) -> None:
    link, other = ends
    before = open_descriptors()
    send_memory(other, text, count)
    with pytest.raises(CameraError):
        link.receive(1)

    assert open_descriptors() == before


@pytest.mark.parametrize(
    "text",
    [
        b"no json",
        b'{"hello"',
        b"\xff\xfe",
        b"5",
        b"[]",
        b"{}",
        b'{"hello":1,"make":2}',
        b'{"hello":{"a":1,"b":2}}',
        b'{"hello":{"nobody":{}}}',
        b'{"hello":{"picture":[0,0]}}',
        b'{"hello":' + b"9" * 10_000 + b"}",
        b'{"hello":' + b"[" * 50_000,
        b'{"hello":' + b'{"tuple":[' * 5_000 + b"]}" * 5_000 + b"}",
        b'{"hello":"' + b"x" * LARGEST_MESSAGE_BYTES + b'"}',
    ],
    ids=lambda text: text[:30].decode(errors="replace"),
)
def test_what_is_no_message_is_one_error(ends: Ends, text: bytes) -> None:
    link, other = ends
    other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    other.send(text)

    with pytest.raises(CameraError) as error:
        link.receive(1)
    assert not isinstance(error.value, LinkEnded)
    assert len(str(error.value).splitlines()) == 1


def test_the_end_of_the_other_side_is_seen(ends: Ends) -> None:
    link, other = ends
    other.send(b'{"log":null}')
    other.close()

    assert link.receive(1) == Message("log", None)  # what was said before it counts
    with pytest.raises(LinkEnded):
        link.receive(1)
    with pytest.raises(LinkEnded):
        link.send("release", [])


def test_a_side_that_ends_without_reading_is_seen_too(ends: Ends) -> None:
    link, other = ends
    link.send("apply")
    other.close()  # the kernel says ECONNRESET then

    with pytest.raises(LinkEnded):
        link.receive(1)


def test_what_a_side_said_before_its_end_counts_though_it_did_not_listen(ends: Ends) -> None:
    link, other = ends
    link.send("release", [[0, 0]])
    other.send(b'{"fault":null}')
    other.close()

    assert link.receive(1) == Message("fault", None)
    with pytest.raises(LinkEnded):
        link.receive(1)


def test_a_side_that_stops_reading_is_told_of(ends: Ends) -> None:
    link, _ = ends
    sent = 0
    while link.send("log", {"text": "x" * 1000}):
        sent += 1

    assert sent > 10
    assert not link.send("log", {"text": "x" * 1000}, timeout_s=0.01)


def test_a_message_that_is_too_long_is_not_sent(ends: Ends) -> None:
    link, other = ends
    with pytest.raises(MessageTooLong, match="65548 bytes are more than the 65536 of a message"):
        link.send("log", "x" * (LARGEST_MESSAGE_BYTES + 2))
    link.send("log", "y")

    assert other.recv(100) == b'{"log":"y"}'


def test_other_sockets_are_refused() -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        one, other = socket.socketpair(socket.AF_UNIX, kind)
        with one, other, pytest.raises(CameraError, match="SOCK_SEQPACKET"):
            Link(one)


@pytest.mark.parametrize(
    "error",
    [CameraError("no link"), SettingError("camera", "imx708", "no such camera"), SettingError("x", (1, 2), "no")],
)
def test_an_error_arrives_as_it_was(error: CameraError | SettingError) -> None:
    arrived = refused(refusal(error))

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


@pytest.mark.parametrize("content", [None, 5, {}, {"text": 5}, {"parameter": 1, "value": 2, "reason": 3}])
def test_an_error_that_is_none_is_one_all_the_same(content: object) -> None:
    with pytest.raises(CameraError, match="a refusal that is none of picam_webrtc's"):
        raise refused(content)

"""The way to a viewer is the one that ICE has chosen, and that one alone is held open."""

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from picam_webrtc.streaming.rtp.packets import Run
from picam_webrtc.streaming.rtp.path import CurrentPath, SocketPath

DATAGRAMS = socket.AF_INET, socket.SOCK_DGRAM


class FakePair:
    """What aioice calls a candidate pair, over a socket of its own."""

    def __init__(self, local: socket.socket, remote_addr: tuple[str, int]) -> None:
        self.local_candidate = SimpleNamespace(type="host")
        self.remote_addr = remote_addr
        self.protocol = SimpleNamespace(transport=SimpleNamespace(get_extra_info={"socket": local}.get))


@pytest.fixture
def viewer() -> Iterator[socket.socket]:
    with socket.socket(*DATAGRAMS) as receiving:
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5)
        yield receiving


@pytest.fixture
def pairs(viewer: socket.socket) -> Iterator[tuple[FakePair, FakePair]]:
    with socket.socket(*DATAGRAMS) as one, socket.socket(*DATAGRAMS) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        yield FakePair(one, viewer.getsockname()), FakePair(other, viewer.getsockname())


def sender_of_a_packet(path: SocketPath, viewer: socket.socket) -> Any:
    assert path.send_run(memoryview(b"packet"), Run(0, 1, 6))
    return viewer.recvfrom(100)[1]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_packets_take_the_new_way_when_ice_chooses_another(
    viewer: socket.socket, pairs: tuple[FakePair, FakePair]
) -> None:
    chosen, before = [pairs[0]], descriptors()
    current = CurrentPath(lambda: chosen[0])
    senders = []
    for pair in pairs:
        chosen[0] = pair
        path = current()
        assert isinstance(path, SocketPath)
        assert current() is path
        senders.append(sender_of_a_packet(path, viewer))
        assert descriptors() == before + 1
    current.close()

    assert senders == [pair.protocol.transport.get_extra_info("socket").getsockname() for pair in pairs]
    assert descriptors() == before


def test_a_choice_that_comes_while_the_connection_ends_opens_nothing(pairs: tuple[FakePair, FakePair]) -> None:
    chosen, before = [pairs[0]], descriptors()
    current = CurrentPath(lambda: chosen[0])
    assert current() is not None

    current.close()
    chosen[0] = pairs[1]

    assert current() is None
    assert descriptors() == before


def test_there_is_no_way_before_ice_has_chosen_one() -> None:
    assert CurrentPath(lambda: None)() is None

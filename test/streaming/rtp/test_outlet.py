"""Packets as a viewer decrypts them, over real sockets; and the plainer ways, where the fast ones fail."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pylibsrtp
import pytest
from aiortc.rtp import RtpPacket, unwrap_rtx

from picam_webrtc.streaming.fanout.history import History
from picam_webrtc.streaming.rtp import srtp
from picam_webrtc.streaming.rtp.header import ExtensionLayout, RtpParameters
from picam_webrtc.streaming.rtp.outlet import RtpOutlet, SendBuffers
from picam_webrtc.streaming.rtp.packets import Run, TemplateCache
from picam_webrtc.streaming.rtp.path import MOST_SEGMENTS, MOST_WAITING_BYTES, SocketPath, TransportPath
from picam_webrtc.streaming.rtp.srtp import Protector, Scratch
from picam_webrtc_test.streaming.fakes import coded

PROFILES = [
    (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
]
PLAIN = RtpParameters(ssrc=11, payload_type=97, extensions=ExtensionLayout(send_time_id=3))
WITH_RTX = RtpParameters(11, 97, rtx_ssrc=12, rtx_payload_type=98, extensions=ExtensionLayout(send_time_id=3))


def session(direction: int, profile: int = PROFILES[0][0], key_size: int = PROFILES[0][1]) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=bytes(range(key_size)), ssrc_type=direction, srtp_profile=profile)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


@dataclass
class FakePath:
    """Keeps packets; has no room while `full`, or after `room` runs."""

    full: bool = False
    room: int = 1000
    packets: list[bytes] = field(default_factory=list)
    name: str = "fake"

    def send_run(self, view: memoryview, run: Run) -> bool:
        self.room -= 1
        if self.full or self.room < 0:
            return False
        self.packets += [bytes(view[start : start + run.stride]) for start in range(0, len(view), run.stride)]
        return True

    def close(self) -> None: ...


class Line:
    """An outlet, and the far end that decrypts what comes."""

    def __init__(self, parameters: RtpParameters = PLAIN, profile: int = PROFILES[0][0], key_size: int = 28) -> None:
        self.path: FakePath | None = FakePath()
        self._wire = self.path
        self._receiving = session(pylibsrtp.Policy.SSRC_ANY_INBOUND, profile, key_size)
        protector = Protector(session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND, profile, key_size))
        buffers = SendBuffers(TemplateCache(), Scratch())
        self.outlet = RtpOutlet(parameters, protector, lambda: self.path, lambda: None, buffers)

    def received(self) -> list[RtpPacket]:
        packets, self._wire.packets = self._wire.packets, []
        return [RtpPacket.parse(self._receiving.unprotect(packet)) for packet in packets]


@pytest.mark.parametrize(("profile", "key_size"), PROFILES)
@pytest.mark.parametrize("direct", [True, False])
def test_a_viewer_decrypts_what_was_coded(
    profile: int, key_size: int, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srtp, "direct_srtp_works", lambda: direct)
    line, frames = Line(PLAIN, profile, key_size), [coded(0, keyframe=True), coded(1), coded(2)]
    for frame in frames:
        assert line.outlet.send(frame)
    packets = line.received()

    assert [packet.payload for packet in packets] == [payload for frame in frames for payload in frame.payloads]
    first = packets[0].sequence_number
    assert [packet.sequence_number - first for packet in packets] == list(range(len(packets)))
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(11, 97)}
    assert [packet.timestamp for packet in packets if packet.marker] == [0, 3000, 6000]
    assert (line.outlet.counts.packets, line.outlet.counts.bytes) == (9, sum(frame.payload_bytes for frame in frames))


def test_sequence_numbers_go_on_after_frames_that_were_not_sent() -> None:
    line = Line()
    line.outlet.send(coded(0, keyframe=True))
    line.outlet.send(coded(7, keyframe=True))
    numbers = [packet.sequence_number for packet in line.received()]

    assert numbers == list(range(numbers[0], numbers[0] + 6))


def test_no_room_is_said_and_nothing_is_encrypted_twice_with_one_number() -> None:
    line = Line()
    line.outlet.send(coded(0, keyframe=True))
    line._wire.full = True
    assert not line.outlet.send(coded(1))
    line._wire.full = False
    assert line.outlet.send(coded(2, keyframe=True))
    numbers = [packet.sequence_number for packet in line.received()]

    assert len(set(numbers)) == len(numbers) == 6
    assert numbers[3] - numbers[2] == 4


def test_without_a_path_there_is_no_room() -> None:
    line = Line()
    line.path = None

    assert not line.outlet.send(coded(0, keyframe=True))
    assert line.outlet.packet_index(5) is None


@pytest.mark.parametrize("parameters", [PLAIN, WITH_RTX])
def test_a_lost_packet_is_found_by_its_number_and_sent_again(parameters: RtpParameters) -> None:
    line, history = Line(parameters), History()
    for number in range(20, 40):
        frame = coded(number, keyframe=number == 20)
        history.add(frame, 0)
        line.outlet.send(frame)
    del line._wire.packets[-7]
    before, after = line.received()[-7:-5]
    assert after.sequence_number - before.sequence_number == 2
    sequence = before.sequence_number + 1

    index = line.outlet.packet_index(sequence)
    assert index is not None
    found = history.packet(index)
    assert found is not None
    line.outlet.resend(*found)
    (again,) = line.received()

    if parameters is WITH_RTX:
        assert (again.payload_type, again.ssrc) == (98, 12)
        again = unwrap_rtx(again, 97, 11)
    frame, number = found
    assert (again.sequence_number, again.timestamp, again.payload) == (
        sequence,
        frame.timestamp,
        frame.payloads[number],
    )
    assert line.outlet.counts.resent_packets == 1


def test_without_a_retransmission_format_the_very_same_bytes_are_sent_again() -> None:
    line, frame = Line(PLAIN), coded(0, keyframe=True)
    line.outlet.send(frame)
    sent = line._wire.packets[1]
    line.outlet.resend(frame, 1)

    assert line._wire.packets[-1] == sent


def test_packets_from_before_the_last_key_frame_are_not_known_any_more() -> None:
    line, history = Line(), History()
    for number in range(3):
        frame = coded(number, keyframe=number in (0, 2))
        history.add(frame, 0)
        line.outlet.send(frame)
    numbers = [packet.sequence_number for packet in line.received()]

    known = [history.packet(line.outlet.packet_index(number) or 0) is not None for number in numbers]
    assert known == [False] * 6 + [True] * 3


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """One that sends and one that receives."""
    datagrams = socket.AF_INET, socket.SOCK_DGRAM
    with socket.socket(*datagrams) as sending, socket.socket(*datagrams) as receiving:
        sending.bind(("127.0.0.1", 0))
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5)
        yield sending, receiving


@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("count", [1, 7, MOST_SEGMENTS + 20])
def test_a_run_arrives_as_datagrams_of_its_stride(
    sockets: tuple[socket.socket, socket.socket], offload: bool, count: int
) -> None:
    sending, receiving = sockets
    path = SocketPath(sending.fileno(), receiving.getsockname(), offload)
    data = bytes(number % 251 for number in range(count * 500 - 100))

    assert path.send_run(memoryview(data), Run(0, count, 500))
    arrived = [receiving.recv(2000) for _ in range(count)]
    path.close()

    assert b"".join(arrived) == data
    assert [len(datagram) for datagram in arrived] == [500] * (count - 1) + [400]
    sending.getsockname()


class OddSocket:
    """A socket that fails as it is told."""

    def __init__(self, segments: int = 0, single: int = 0) -> None:
        self.segments, self.single = segments, single
        self.sent: list[bytes] = []

    def sendmsg(self, *_: object) -> None:
        if self.segments:
            raise OSError(self.segments, "segments fail")

    def sendto(self, data: memoryview, _: object) -> None:
        if self.single:
            raise OSError(self.single, "a packet fails")
        self.sent.append(bytes(data))

    def close(self) -> None: ...


def odd_path(sending: socket.socket, odd: OddSocket) -> SocketPath:
    path = SocketPath(sending.fileno(), ("127.0.0.1", 9))
    path._socket.close()
    path._socket = odd  # type: ignore[assignment]
    return path


@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP])
def test_where_segmentation_does_not_work_packets_go_one_by_one(
    sockets: tuple[socket.socket, socket.socket], error: int
) -> None:
    odd = OddSocket(segments=error)
    path = odd_path(sockets[0], odd)

    assert path.send_run(memoryview(b"aabbc"), Run(0, 3, 2))
    assert path.name == "udp"
    assert odd.sent == [b"aa", b"bb", b"c"]


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ENOBUFS])
def test_a_full_socket_has_no_room_and_keeps_its_way(sockets: tuple[socket.socket, socket.socket], error: int) -> None:
    path = odd_path(sockets[0], OddSocket(segments=error))

    assert not path.send_run(memoryview(b"aabb"), Run(0, 2, 2))
    assert path.name == "udp+gso"


def test_a_route_that_is_down_loses_packets_and_nothing_else(sockets: tuple[socket.socket, socket.socket]) -> None:
    path = odd_path(sockets[0], OddSocket(single=errno.ENETUNREACH))

    assert path.send_run(memoryview(b"aa"), Run(0, 1, 2))


class FakeTransport:
    def __init__(self) -> None:
        self.waiting = 0
        self.sent: list[bytes] = []

    def sendto(self, data: bytes, address: tuple[str, int], /) -> None:
        self.sent.append(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting


def test_a_relay_gets_packets_one_by_one_and_no_more_than_it_passes_on() -> None:
    transport = FakeTransport()
    path = TransportPath(transport, ("192.0.2.1", 9))

    assert path.send_run(memoryview(b"aabbc"), Run(0, 3, 2))
    transport.waiting = MOST_WAITING_BYTES + 1
    assert not path.send_run(memoryview(b"aabbc"), Run(0, 3, 2))
    assert transport.sent == [b"aa", b"bb", b"c"]


def test_libsrtp_can_be_called_directly_here() -> None:
    assert srtp.direct_srtp_works()

"""What is cut into payloads comes together again, at viewers who were not asked."""

import pytest
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.streaming.encode import nal
from picam_webrtc.streaming.encode.rendition import FULL, LOWEST, Codec, RenditionKey
from picam_webrtc.streaming.rtp.payloads import MAX_PAYLOAD, Packetizer, cut
from picam_webrtc_test.streaming.fakes import coded

sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=6)


def byte_stream(sizes: list[int]) -> bytes:
    """Slices (type 1) of those sizes, without anything like a start code in them."""
    return b"".join(b"\x00\x00\x00\x01" + b"\x41" + bytes([7 + number]) * size for number, size in enumerate(sizes))


@given(sizes)
def test_h264_comes_together_again(sizes: list[int]) -> None:
    stream = byte_stream(sizes)

    together = b"".join(h264_depayload(payload) for payload in cut(Codec.H264, stream))

    assert [bytes(unit) for unit in nal.nal_units(together)] == [bytes(unit) for unit in nal.nal_units(stream)]


@given(st.binary(min_size=1, max_size=9000))
def test_vp8_comes_together_again(frame: bytes) -> None:
    payloads = cut(Codec.VP8, frame)

    assert b"".join(map(vp8_depayload, payloads)) == frame
    assert [payload[0] & 0x10 for payload in payloads] == [0x10] + [0] * (len(payloads) - 1)


@given(st.sampled_from(Codec), sizes)
def test_no_payload_is_too_large(codec: Codec, sizes: list[int]) -> None:
    assert max(map(len, cut(codec, byte_stream(sizes)))) <= MAX_PAYLOAD


@pytest.mark.parametrize("codec", Codec)
def test_fragments_have_one_size_but_for_a_shorter_last(codec: Codec) -> None:
    *same, last = map(len, cut(codec, byte_stream([20_000])))

    assert len(set(same)) == 1
    assert last <= same[0]


def test_parameter_sets_travel_together_and_needless_units_not_at_all() -> None:
    parts = [b"\x09\x10", b"\x67ABC", b"\x68DE", b"\x06" + b"x" * 600, b"\x65" + b"y" * 3000, b"\x0c\xff"]
    payloads = cut(Codec.H264, b"".join(b"\x00\x00\x01" + part for part in parts))

    assert payloads[0] == b"\x78\x00\x04\x67ABC\x00\x03\x68DE"
    assert [payload[0] & 0x1F for payload in payloads[1:]] == [28, 28, 28]


def test_nothing_gives_nothing() -> None:
    assert cut(Codec.H264, b"") == ()
    assert cut(Codec.VP8, b"") == ()


def test_packets_of_each_rendition_are_counted_on() -> None:
    packetizer, full, lowest = Packetizer(), RenditionKey(Codec.H264, FULL), RenditionKey(Codec.H264, LOWEST)

    frames = [packetizer.packetize(coded(0, key=key, size=size)) for key, size in ((full, 3000), (lowest, 900)) * 2]

    assert [(frame.key, frame.first_packet) for frame in frames] == [(full, 0), (lowest, 0), (full, 3), (lowest, 1)]
    assert [len(frame.payloads) for frame in frames] == [3, 1, 3, 1]
    assert [frame.payload_bytes for frame in frames] == [sum(map(len, frame.payloads)) for frame in frames]

"""NAL units are found whatever their start codes."""

from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.streaming.encode.nal import nal_units, parameter_sets

# A unit never contains a start code and never ends in a zero byte.
units = st.lists(st.binary(min_size=1, max_size=40).map(lambda body: body.replace(b"\x00", b"\x07")), max_size=8)


@given(units, st.lists(st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01"]), min_size=8, max_size=8))
def test_units_come_back_as_they_went_in(bodies: list[bytes], start_codes: list[bytes]) -> None:
    stream = b"".join(code + body for code, body in zip(start_codes, bodies, strict=False))

    assert [bytes(unit) for unit in nal_units(stream)] == bodies


def test_only_parameter_sets_are_picked() -> None:
    stream = b"\x00\x00\x01\x67AB\x00\x00\x00\x01\x68C\x00\x00\x01\x65picture"

    assert parameter_sets(stream) == b"\x00\x00\x00\x01\x67AB\x00\x00\x00\x01\x68C"
    assert parameter_sets(b"\x00\x00\x01\x65picture") == b""
    assert parameter_sets(b"") == b""

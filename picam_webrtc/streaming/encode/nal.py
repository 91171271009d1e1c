"""NAL units of an H.264 byte stream (ITU-T H.264, annex B and table 7-1)."""

from collections.abc import Iterator

START_CODE = b"\x00\x00\x01"
TYPE_MASK = 0x1F
SEI, SPS, PPS, AUD, FILLER = 6, 7, 8, 9, 12


def nal_units(data: bytes) -> Iterator[memoryview]:
    """The units in order, without start codes and trailing zeros, viewed in place."""
    view = memoryview(data)
    start = data.find(START_CODE)
    while start >= 0:
        start += len(START_CODE)
        following = data.find(START_CODE, start)
        end = following if following >= 0 else len(data)
        while end > start and data[end - 1] == 0:
            end -= 1
        if end > start:
            yield view[start:end]
        start = following


def nal_type(unit: memoryview) -> int:
    return unit[0] & TYPE_MASK


def parameter_sets(data: bytes) -> bytes:
    """The sequence and picture parameter sets in `data`, each behind a start code; empty where there are none."""
    wanted = (unit for unit in nal_units(data) if nal_type(unit) in (SPS, PPS))
    return b"".join(b"\x00" + START_CODE + bytes(unit) for unit in wanted)

"""Headers as aiortc reads them, numbers that continue, reports that tell the time."""

from dataclasses import replace

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.streaming.rtp.header import (
    MID_URI,
    PLAYOUT_DELAY_URI,
    SEND_TIME_URI,
    ExtensionLayout,
    RtpParameters,
    header,
    send_time_24,
    unwrapped,
)
from picam_webrtc.streaming.rtp.packets import Run, TemplateCache, lay_out
from picam_webrtc.streaming.rtp.reports import NTP_EPOCH_S, SenderClock, make_report, ntp_time
from picam_webrtc_test.streaming.fakes import coded

SECOND_NS = 1_000_000_000
LAYOUT = ExtensionLayout("0", mid_id=1, send_time_id=3, playout_delay_id=4)


def extension_map() -> HeaderExtensionsMap:
    ids = {MID_URI: 1, SEND_TIME_URI: 3}
    extensions = [RTCRtpHeaderExtensionParameters(id=number, uri=uri) for uri, number in ids.items()]
    extension_map = HeaderExtensionsMap()
    extension_map.configure(RTCRtpParameters(headerExtensions=extensions))
    return extension_map


def test_a_header_is_read_as_it_was_meant() -> None:
    parameters = RtpParameters(ssrc=0xDEADBEEF, payload_type=97, extensions=LAYOUT)
    data = header(parameters, True, 65536 + 7, (1 << 32) + 90_000, LAYOUT.block(64 * SECOND_NS + 1, True)) + b"payload"

    packet = RtpPacket.parse(data, extension_map())

    assert (packet.ssrc, packet.payload_type, packet.marker) == (0xDEADBEEF, 97, 1)
    assert (packet.sequence_number, packet.timestamp, packet.payload) == (7, 90_000, b"payload")
    assert packet.extensions.mid == "0"
    assert packet.extensions.abs_send_time == 0


def test_what_does_not_change_is_sent_with_key_frames_only() -> None:
    assert len(LAYOUT.block(0, keyframe=True)) == 4 + 12
    assert len(LAYOUT.block(0, keyframe=False)) == 4 + 4
    assert ExtensionLayout().block(0, keyframe=True) == b"\xbe\xde\x00\x00"


def test_ids_that_a_short_header_cannot_hold_are_not_used() -> None:
    layout = ExtensionLayout.from_ids({MID_URI: 15, SEND_TIME_URI: 14, PLAYOUT_DELAY_URI: 2}, "video")

    assert layout == ExtensionLayout("video", mid_id=0, send_time_id=14, playout_delay_id=2)


@pytest.mark.parametrize(
    ("time_ns", "value"), [(0, 0), (SECOND_NS, 1 << 18), (64 * SECOND_NS, 0), (SECOND_NS // 2, 1 << 17)]
)
def test_send_times_count_sixty_four_seconds(time_ns: int, value: int) -> None:
    assert send_time_24(time_ns) == value


@given(st.integers(0, 1 << 40), st.integers(0, 65535))
def test_sequence_numbers_find_their_packet(newest: int, back: int) -> None:
    index = newest - back

    assert unwrapped(index & 0xFFFF, newest) == index


def test_a_template_is_the_packets_but_for_what_differs_between_viewers() -> None:
    frame = coded(5, keyframe=True)
    template = lay_out(frame, LAYOUT, tag_size=16)

    for number, (offset, length) in enumerate(zip(template.offsets, template.lengths, strict=True)):
        packet = RtpPacket.parse(template.data[offset : offset + length], extension_map())
        assert packet.payload == frame.payloads[number]
        assert packet.extensions.mid == "0"
    assert template.markers == (0, 0, 0x80)
    assert len(template.data) == template.offsets[-1] + template.lengths[-1] + 16


def test_packets_of_one_size_are_one_run() -> None:
    frame = coded(0, size=5000)
    sizes = [len(payload) for payload in frame.payloads]
    template = lay_out(frame, LAYOUT, tag_size=10)

    assert template.runs == (Run(0, len(sizes), sizes[0] + 12 + 8 + 10),)


def test_a_small_packet_in_front_is_a_run_of_its_own() -> None:
    frame = coded(0, size=5000)
    with_parameters = replace(frame, payloads=(b"\x78small", *frame.payloads))
    runs = lay_out(with_parameters, LAYOUT, tag_size=10).runs

    assert [(run.first, run.last) for run in runs] == [(0, 1), (1, len(frame.payloads) + 1)]


def test_viewers_of_one_layout_share_a_template_and_it_goes_with_its_frame() -> None:
    cache = TemplateCache()
    one, other = coded(0), coded(1)

    assert cache.get(one, LAYOUT, 16) is cache.get(one, LAYOUT, 16)
    assert cache.get(one, LAYOUT, 16) is not cache.get(one, LAYOUT, 10)
    first = cache.get(one, LAYOUT, 16)
    cache.get(other, LAYOUT, 16)
    assert cache.get(one, LAYOUT, 16) is not first


def test_a_sender_report_tells_what_a_frame_captured_now_would_be_called() -> None:
    clock, frame = SenderClock(), coded(30)
    ntp, timestamp = clock.stamp(frame, frame.stamp_ns + SECOND_NS // 2)

    assert ntp == ntp_time(frame.stamp_ns + SECOND_NS // 2)
    assert timestamp == frame.timestamp + 45_000


def test_stamps_that_are_no_wall_clock_count_from_the_end_of_encoding() -> None:
    frame = coded(30)
    recorded = replace(frame, encoded_ns=3600 * SECOND_NS)

    assert SenderClock().stamp(recorded, 3600 * SECOND_NS + SECOND_NS // 10)[1] == frame.timestamp + 9_000


def test_round_trips_are_measured_by_the_report_that_is_referred_to() -> None:
    clock, now_ns = SenderClock(), 1_700_000_000 * SECOND_NS
    ntp, _ = clock.stamp(None, now_ns)
    middle = ntp >> 16 & 0xFFFFFFFF

    assert clock.round_trip_s(middle, 65536, now_ns + SECOND_NS * 5 // 4) == pytest.approx(0.25)
    assert clock.round_trip_s(middle, 65536 * 9, now_ns + SECOND_NS) == 0
    assert clock.round_trip_s(12345, 0, now_ns) is None


def test_ntp_counts_from_1900() -> None:
    assert ntp_time(SECOND_NS // 2) == NTP_EPOCH_S << 32 | 1 << 31


def test_report_blocks_become_fractions_and_seconds() -> None:
    report = make_report(64, 10, 9000, 0.05)

    assert (report.loss, report.packets_lost, report.jitter_s, report.rtt_s) == (0.25, 10, 0.1, 0.05)

"""A connection by aiortc: what it needs of that library, and what a viewer's feedback does."""

import logging

import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import RtcpPsfbPacket

from picam_webrtc.errors import DependencyError
from picam_webrtc.private_members import PRIVATE_MEMBERS, RTP_SENDER, PrivateMember
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.rtp.srtp import Protector
from picam_webrtc.streaming.session import aiortc_check, direct_sender
from picam_webrtc.streaming.session.aiortc_check import check_aiortc
from picam_webrtc.streaming.session.sessions import Sessions
from picam_webrtc_test.streaming.fakes import RealViewer, Source, running, until, viewer

SETTINGS = WebRtcSettings()


async def test_this_aiortc_has_what_the_outlet_needs() -> None:
    check_aiortc()


@pytest.mark.parametrize("name", ["_run_rtp", "_handle_rtcp_packet", "_send_rtcp"])
async def test_a_method_that_is_different_or_gone_is_named_with_the_remedy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RTCRtpSender, name, RTCRtpSender.stop)
    with pytest.raises(DependencyError, match=rf"RTCRtpSender\.{name} is missing or different; .*pip install"):
        check_aiortc()
    monkeypatch.delattr(RTCRtpSender, name)
    with pytest.raises(DependencyError, match=rf"RTCRtpSender\.{name} is missing or different; .*pip install"):
        check_aiortc()


async def test_sessions_do_not_open_with_an_aiortc_that_lacks_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PrivateMember(RTP_SENDER, "_no_such_member", "nothing")
    monkeypatch.setattr(aiortc_check, "PRIVATE_MEMBERS", (*PRIVATE_MEMBERS, absent))

    with pytest.raises(DependencyError, match="_no_such_member"):
        async with Sessions([], SETTINGS):
            pass


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_pictures_arrive(codec: str) -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer(codec) as watching:
        await watching.watch(sessions)
        await watching.see(20)

        assert [one.path for one in sessions.snapshot().viewers] == ["udp+gso"]


async def ask_for_a_keyframe(watching: RealViewer, media_ssrc: int | None = None) -> None:
    """As a browser does that lost the picture (PLI)."""
    receiver = watching.connection.getReceivers()[0]
    (ssrc,) = receiver._RTCRtpReceiver__remote_streams  # type: ignore[attr-defined]
    packet = RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc if media_ssrc is None else media_ssrc)
    await receiver.transport._send_rtp(bytes(packet))


async def test_a_viewer_that_lost_the_picture_gets_a_key_frame() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(10)
        (before,) = sessions.snapshot().streams[0].renditions
        await ask_for_a_keyframe(watching)

        await until(lambda: sessions.snapshot().streams[0].renditions[0].keyframes_given > before.keyframes_given)
        assert sessions.snapshot().viewers[0].keyframes_asked == 1


async def test_a_request_that_names_no_stream_is_heard_too() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(10)
        await ask_for_a_keyframe(watching, media_ssrc=0)

        await until(lambda: sessions.snapshot().viewers[0].keyframes_asked == 1)


async def test_reports_of_viewers_are_read() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await until(lambda: sessions.snapshot().viewers[0].rtt_s is not None)

        (seen,) = sessions.snapshot().viewers
        assert seen.loss == 0
        assert seen.packets_lost == 0
        assert 0 <= (seen.rtt_s or 0) < 1


async def test_a_connection_whose_encryption_is_not_as_expected_ends_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(session: object) -> None:
        raise AttributeError("no such thing")

    async with running(Source(), SETTINGS) as (sessions, _), viewer() as good, viewer() as bad:
        await good.watch(sessions)
        await good.see(5)
        monkeypatch.setattr(direct_sender, "Protector", refuse)
        session = await bad.watch(sessions)
        await until(lambda: session.state == "closed")
        monkeypatch.setattr(direct_sender, "Protector", Protector)

        await good.see(5)
        assert len(sessions) == 1
    assert [line.levelno for line in caplog.records if "no such thing" in line.getMessage()] == [logging.ERROR]


async def test_the_snapshot_tells_everything_about_streams_and_viewers() -> None:
    async with running(Source(320, 240), SETTINGS) as (sessions, _), viewer() as one, viewer("VP8") as other:
        session = await one.watch(sessions)
        await other.watch(sessions)
        await one.see(10)
        await other.see(10)
        snapshot = sessions.snapshot()

    (stream,) = snapshot.streams
    assert stream.live
    assert stream.frames_in >= 10
    assert stream.newest is not None
    assert stream.newest.stamp_ns <= stream.newest.received_ns <= stream.newest.encoded_ns
    assert {(entry.codec, entry.rung, entry.width, entry.height, entry.viewers) for entry in stream.renditions} == {
        ("h264", "full", 320, 240, 1),
        ("vp8", "full", 320, 240, 1),
    }
    first = next(entry for entry in snapshot.viewers if entry.id == session.id)
    assert (first.stream, first.state, first.codec, first.rung) == ("processed", "connected", "h264", "full")
    assert first.frames_sent >= 10
    assert first.packets_sent >= first.frames_sent
    assert first.bytes_sent > 0
    assert first.keyframes_sent >= 1

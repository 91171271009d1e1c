"""On an aiortc whose internals differ, viewers are served by its own sender: slower, and as correct."""

import logging

import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import RtcpPsfbPacket

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming import peer
from picam_webrtc.streaming.peer import direct_path_obstacle
from picam_webrtc.streaming.sessions import Sessions
from test.streaming.fakes import RealViewer, Source, running, until, viewer

SETTINGS = WebRtcSettings()


async def test_this_aiortc_is_as_the_direct_path_needs_it() -> None:
    assert direct_path_obstacle() is None


@pytest.mark.parametrize("name", ["_run_rtp", "_handle_rtcp_packet", "_send_rtcp"])
async def test_a_method_that_is_gone_or_different_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RTCRtpSender, name, RTCRtpSender.stop)
    assert name in (direct_path_obstacle() or "")
    monkeypatch.delattr(RTCRtpSender, name)
    assert name in (direct_path_obstacle() or "")


async def test_a_member_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "SENDER_MEMBERS", ("_ssrc", "_no_such_member"))

    assert "_no_such_member" in (direct_path_obstacle() or "")


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_pictures_arrive_by_aiortcs_own_sender_and_it_is_said(
    codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with running(Source(), SETTINGS, lambda: "it differs") as (sessions, _), viewer(codec) as watching:
        await watching.watch(sessions)
        await watching.see(20)

        assert [one.path for one in sessions.snapshot().viewers] == ["aiortc"]
    assert [line for line in caplog.messages if "aiortc's own sender" in line and "it differs" in line]


async def ask_for_a_keyframe(watching: RealViewer, media_ssrc: int | None = None) -> None:
    """As a browser does that lost the picture (PLI)."""
    receiver = watching.connection.getReceivers()[0]
    (ssrc,) = receiver._RTCRtpReceiver__remote_streams  # type: ignore[attr-defined]
    packet = RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=ssrc if media_ssrc is None else media_ssrc)
    await receiver.transport._send_rtp(bytes(packet))


@pytest.mark.parametrize("obstacle", [None, "it differs"])
async def test_a_viewer_that_lost_the_picture_gets_a_key_frame(obstacle: str | None) -> None:
    async with running(Source(), SETTINGS, lambda: obstacle) as (sessions, _), viewer() as watching:
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


@pytest.mark.parametrize("obstacle", [None, "it differs"])
async def test_reports_of_viewers_are_read(obstacle: str | None) -> None:
    async with running(Source(), SETTINGS, lambda: obstacle) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await until(lambda: sessions.snapshot().viewers[0].rtt_s is not None)

        (seen,) = sessions.snapshot().viewers
        assert seen.loss == 0
        assert seen.packets_lost == 0
        assert 0 <= (seen.rtt_s or 0) < 1


async def test_a_connection_whose_encryption_is_not_as_expected_falls_back_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(session: object) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr(peer, "Protector", refuse)
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(20)

        assert [one.path for one in sessions.snapshot().viewers] == ["aiortc"]
    assert [line for line in caplog.messages if "no such thing" in line]


async def test_the_direct_way_is_taken_where_it_can_be() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(5)

        assert [one.path for one in sessions.snapshot().viewers] == ["udp+gso"]


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


async def test_no_obstacle_is_looked_for_before_the_sessions_are_entered() -> None:
    asked: list[None] = []
    Sessions([], SETTINGS, lambda: asked.append(None))

    assert asked == []

"""Real connections through both flows: pictures arrive, the log tells the story, and nothing is left behind."""

import asyncio
import logging
import re

import pytest

from picam_webrtc.errors import (
    MalformedOffer,
    NoLiveSource,
    SettingError,
    TooManyViewers,
    UnknownSession,
    UnknownStream,
    UnusableOffer,
)
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.session.sessions import Sessions, codec_preference
from picam_webrtc_test.streaming.fakes import RealViewer, Source, running, until, viewer

SETTINGS = WebRtcSettings()


async def test_a_whep_viewer_sees_the_picture_at_its_size() -> None:
    async with running(Source(320, 240), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(10)

        assert (watching.frames[-1].width, watching.frames[-1].height) == (320, 240)


async def test_a_viewer_of_the_server_made_offer_sees_the_picture() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch_by_server_offer(sessions)
        await watching.see(10)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_the_codec_is_one_that_the_viewer_has(codec: str) -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer(codec) as watching:
        session = await watching.watch(sessions)
        await watching.see(5)

        assert codec in session.sdp
        assert session.viewer is not None
        assert session.viewer.rendition.codec == codec.lower()


async def test_our_preference_decides_between_codecs_that_the_viewer_has() -> None:
    async with running(Source(), WebRtcSettings(codecs=("vp8", "h264"))) as (sessions, _), viewer() as watching:
        session = await watching.watch(sessions)
        await watching.see(5)

        assert session.viewer is not None
        assert session.viewer.rendition.codec == "vp8"


async def test_two_viewers_share_one_track_one_encoder_and_one_demand() -> None:
    source = Source()
    async with running(source, SETTINGS) as (sessions, stream), viewer() as one, viewer() as other:
        first = await one.watch(sessions)
        await one.see(3)
        second = await other.watch_by_server_offer(sessions)
        await other.see(3)

        assert len(stream.renditions) == 1
        assert source.demands == [True]
        await sessions.close(first.id)
        await other.see(5)
        assert source.demands == [True]
        await sessions.close(second.id)
        assert source.demands == [True, False]
        assert not stream.renditions


async def test_the_life_of_two_connections_is_logged_in_order(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "picam_webrtc")
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as one, viewer() as other:
        first = await one.watch_by_server_offer(sessions)
        await one.see(1)
        second = await other.watch(sessions)
        await other.see(1)
        await sessions.close(first.id)
        await sessions.close(second.id)
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if re.search("PeerConnection|WebRTC request|PiCameraTrack|relay|Subscription", record.getMessage())
    ]

    def connecting(name: str, kind: str, *, new_track: bool) -> list[tuple[str, str]]:
        track = [("INFO", "PiCameraTrack initialized with transform: tfLite")] if new_track else []
        return [
            ("INFO", "Received WebRTC request"),
            ("INFO", f"Created new PeerConnection with id: {name}"),
            *track,
            ("INFO", "Subscribing a new track to the relay"),
            ("INFO", "Subscription successful"),
            ("DEBUG", f"Added subscribed PiCameraTrack to PeerConnection: {name}"),
            ("DEBUG", f"Created and set local description for PeerConnection: {name}"),
            ("INFO", f"Returning {kind} for PeerConnection: {name}"),
            ("INFO", f"Connection state for {name} is connected"),
        ]

    def closing(name: str) -> list[tuple[str, str]]:
        return [
            ("INFO", f"Connection state for {name} is closed"),
            ("INFO", f"Connection {name} closed. Removing from pcs."),
        ]

    one_name, other_name = f"PeerConnection({first.id})", f"PeerConnection({second.id})"
    assert lines == [
        *connecting(one_name, "offer", new_track=True),
        *connecting(other_name, "answer", new_track=False),
        *closing(one_name),
        *closing(other_name),
    ]


async def test_the_track_of_a_stream_without_a_model_says_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "picam_webrtc")
    stream = Source().make_stream(SETTINGS, transform="none")
    async with Sessions([stream], SETTINGS) as sessions:
        await sessions.offer("processed")

    assert "PiCameraTrack initialized with transform: none" in caplog.messages


async def test_a_viewer_that_leaves_is_forgotten_without_being_told() -> None:
    source = Source()
    async with running(source, SETTINGS) as (sessions, _):
        async with viewer() as watching:
            await watching.watch(sessions)
            await watching.see(1)
        await until(lambda: len(sessions) == 0)

        assert source.demands == [True, False]


async def test_a_viewer_that_never_connects_is_reaped() -> None:
    source = Source()
    async with running(source, WebRtcSettings(connect_timeout=0.1)) as (sessions, _):
        session = await sessions.offer("processed")
        await until(lambda: len(sessions) == 0)

        assert source.demands == [True, False]
        with pytest.raises(UnknownSession):
            sessions.get(session.id)


async def test_a_request_that_is_cancelled_leaves_no_session() -> None:
    async with running(Source(), SETTINGS) as (sessions, _):
        making = asyncio.create_task(sessions.offer("processed"))
        await asyncio.sleep(0)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)

        assert len(sessions) == 0


async def test_encoding_stops_with_the_last_viewer_and_starts_with_the_next() -> None:
    async with running(Source(), SETTINGS) as (sessions, stream):
        for _ in range(2):
            async with viewer() as watching:
                session = await watching.watch(sessions)
                await watching.see(3)
                await sessions.close(session.id)
                assert not stream.renditions


async def test_a_picture_that_changes_its_size_goes_on_at_the_new_size() -> None:
    source = Source(320, 240)
    async with running(source, SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(3)
        source.resize(481, 271)
        await until(lambda: (watching.frames[-1].width, watching.frames[-1].height) == (480, 270))


async def offer_of(watching: RealViewer, kind: str = "video", direction: str = "recvonly") -> str:
    watching.connection.addTransceiver(kind, direction=direction)
    await watching.connection.setLocalDescription(await watching.connection.createOffer())
    return str(watching.connection.localDescription.sdp)


@pytest.mark.parametrize(
    "text", ["", "hello", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=video 9 x\r\n", "\x00" * 99]
)
async def test_text_that_is_no_offer_is_refused(text: str) -> None:
    async with running(Source(), SETTINGS) as (sessions, _):
        with pytest.raises(MalformedOffer):
            await sessions.answer("processed", text)
        assert len(sessions) == 0


async def test_an_offer_that_wants_no_video_is_refused() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as audio, viewer() as sender:
        with pytest.raises(UnusableOffer, match="no video section"):
            await sessions.answer("processed", await offer_of(audio, kind="audio"))
        with pytest.raises(UnusableOffer, match="sendonly"):
            await sessions.answer("processed", await offer_of(sender, direction="sendonly"))
        assert len(sessions) == 0


async def test_an_offer_without_our_codecs_is_refused() -> None:
    async with running(Source(), WebRtcSettings(codecs=("h264",))) as (sessions, _), viewer("VP8") as watching:
        with pytest.raises(UnusableOffer, match="h264"):
            await watching.watch(sessions)
        assert len(sessions) == 0


async def test_an_answer_that_is_none_is_refused_and_the_session_waits_on() -> None:
    async with running(Source(), SETTINGS) as (sessions, _):
        session = await sessions.offer("processed")
        with pytest.raises(MalformedOffer):
            await sessions.accept(session.id, "no answer")

        assert sessions.get(session.id) is session


async def test_limits_and_names_are_kept() -> None:
    source = Source()
    async with running(source, WebRtcSettings(max_viewers=1)) as (sessions, _):
        with pytest.raises(UnknownStream, match="there are: processed"):
            await sessions.offer("other")
        source.live = False
        with pytest.raises(NoLiveSource):
            await sessions.offer("processed")
        source.live = True
        await sessions.offer("processed")
        with pytest.raises(TooManyViewers):
            await sessions.offer("processed")
        with pytest.raises(UnknownSession):
            await sessions.close("nobody")


async def test_candidates_may_come_later() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        offer = await offer_of(watching)
        candidates = [line for line in offer.splitlines() if line.startswith(("a=candidate", "a=end-of-candidates"))]
        bare = "".join(f"{line}\r\n" for line in offer.splitlines() if line not in candidates)
        session = await sessions.answer("processed", bare)
        await sessions.add_candidates(session.id, "a=mid:0\r\n" + "\r\n".join(candidates) + "\r\n")
        await watching.answered(session.sdp)
        await watching.see(3)


async def test_an_ice_restart_is_refused_and_the_session_lives_on() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        session = await watching.watch(sessions)
        with pytest.raises(UnusableOffer, match="restart"):
            await sessions.add_candidates(session.id, "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n")
        await watching.see(3)


async def test_a_stream_that_cannot_adapt_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []

    def adapt() -> None:
        turns.append(len(turns))
        if len(turns) < 3:
            raise KeyError("rung")

    async with running(Source(), SETTINGS) as (sessions, stream):
        monkeypatch.setattr(stream, "adapt", adapt)
        await until(lambda: "KeyError('rung')" in sessions.snapshot().adaptation_error)
        await until(lambda: not sessions.snapshot().adaptation_error)

    assert len([line for line in caplog.messages if "does not follow its viewers' links" in line]) == 1


def test_codecs_are_checked_at_once() -> None:
    assert codec_preference(("VP8", "h264")) == ("vp8", "h264")
    with pytest.raises(SettingError, match="av1"):
        codec_preference(("av1",))
    with pytest.raises(SettingError, match="at least one"):
        codec_preference(())


async def test_bitrate_and_frame_rate_change_while_a_viewer_watches() -> None:
    async with running(Source(), SETTINGS) as (sessions, _), viewer() as watching:
        await watching.watch(sessions)
        await watching.see(10)
        sessions.apply(WebRtcSettings(bitrate=500_000))
        await watching.see(10)
        (lower,) = sessions.snapshot().streams[0].renditions
        sessions.apply(WebRtcSettings(bitrate=3_000_000, encode_frame_rate=15.0))
        await watching.see(10)
        (higher,) = sessions.snapshot().streams[0].renditions

        assert (lower.bitrate, higher.bitrate) == (500_000, 3_000_000)
        assert sessions.snapshot().viewers[0].frames_skipped <= 1

"""What Prometheus and a supervisor read."""

from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.snapshot import RenditionSnapshot, SessionsSnapshot, StreamSnapshot, ViewerSnapshot
from picam_webrtc.streaming.publish.publisher import PublishSnapshot, PublishState
from picam_webrtc.web.app import make_app
from picam_webrtc.web.limits import Failures
from picam_webrtc.web.server import serve
from picam_webrtc_test.web.fakes import FakeSessions

FULL = RenditionSnapshot("h264", "full", "libx264", 1280, 720, 2_000_000, 2, 300, 700_000, 2.1, 5, 3, 0)
NEAR = ViewerSnapshot(
    "secret-id-1", "processed", "::1", "connected", path="udp", sent_bitrate=1e6, loss=0.0, rtt_s=0.01
)
FAR = replace(NEAR, id="secret-id-2", loss=0.1, rtt_s=0.2)
WAITING = ViewerSnapshot("secret-id-3", "processed", "::1", "connecting")
PROCESSED = StreamSnapshot("processed", True, 310, 7, 1, (FULL,), (NEAR, FAR, WAITING), inference_s=0.02)
RAW = StreamSnapshot("raw", True, 0, 0, 0, (), ())

FIGURES = {
    "picam_webrtc_viewers{processed}": 2,
    "picam_webrtc_viewers{raw}": 0,
    "picam_webrtc_viewers_connecting{processed}": 1,
    "picam_webrtc_renditions{processed}": 1,
    "picam_webrtc_stream_live{raw}": 1,
    "picam_webrtc_frames_received_total{processed}": 310,
    "picam_webrtc_frames_dropped_total{processed,encoder}": 7,
    "picam_webrtc_frames_dropped_total{processed,loop}": 1,
    "picam_webrtc_inference_seconds{processed}": 0.02,
    "picam_webrtc_sent_bits_per_second{processed}": 2e6,
    "picam_webrtc_loss_ratio{processed,mean}": 0.05,
    "picam_webrtc_loss_ratio{processed,worst}": 0.1,
    "picam_webrtc_rtt_seconds{processed,worst}": 0.2,
    "picam_webrtc_paths{udp}": 2,
    "picam_webrtc_rendition_viewers{h264,full,processed}": 2,
    "picam_webrtc_rendition_bits_per_second{h264,full,processed}": 2e6,
    "picam_webrtc_frames_encoded_total{h264,full,processed}": 300,
    "picam_webrtc_encoded_bytes_total{h264,full,processed}": 700_000,
    "picam_webrtc_encode_seconds_total{h264,full,processed}": 2.1,
    "picam_webrtc_keyframes_total{h264,full,processed}": 3,
    "picam_webrtc_keyframe_requests_total{h264,full,processed}": 5,
    "picam_webrtc_auth_failures_total{}": 0,
}


async def figures(client: aiohttp.ClientSession) -> dict[str, float]:
    async with client.get("/metrics") as response:
        assert response.status == 200
        text = await response.text()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value for sample in samples}


async def test_every_figure_of_the_snapshot_is_shown(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    sessions.shown = SessionsSnapshot((PROCESSED, RAW))
    shown = await figures(client)

    assert {name: shown.get(name) for name in FIGURES} == FIGURES
    assert shown["picam_webrtc_process_open_fds{}"] > 0


async def test_streams_sent_to_media_servers_are_shown(sessions: FakeSessions, settings: WebRtcSettings) -> None:
    steady = PublishSnapshot("processed", "https://sfu.example", PublishState.PUBLISHING, 2, 1, "", readers=3)
    lost = replace(steady, stream="raw", state=PublishState.LOST, readers=None)
    app = make_app(sessions, settings, published=lambda: (steady, lost))
    async with serve(app, settings) as address, aiohttp.ClientSession(address.url) as client:
        shown = await figures(client)

    assert shown["picam_webrtc_publish_connected{https://sfu.example,processed}"] == 1
    assert shown["picam_webrtc_publish_connected{https://sfu.example,raw}"] == 0
    assert shown["picam_webrtc_publish_readers{https://sfu.example,processed}"] == 3
    assert "picam_webrtc_publish_readers{https://sfu.example,raw}" not in shown
    assert shown["picam_webrtc_publish_connections_total{https://sfu.example,processed}"] == 2
    assert shown["picam_webrtc_publish_failures_total{https://sfu.example,processed}"] == 1


async def test_no_session_is_named(client: aiohttp.ClientSession, sessions: FakeSessions) -> None:
    sessions.shown = SessionsSnapshot((PROCESSED, RAW))
    async with client.get("/metrics") as response:
        assert "secret-id" not in await response.text()


async def test_wrong_tokens_are_counted(sessions: FakeSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failures, "FIRST_DELAY_S", 0.001)
    settings = WebRtcSettings(port=0, token="viewer-token-1")  # noqa: S106 -- a made-up one
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession(address.url) as client:
        for token, status in (("wrong-token-1", 401), ("wrong-token-2", 401), ("viewer-token-1", 200)):
            async with client.get("/metrics", headers={"Authorization": f"Bearer {token}"}) as response:
                assert response.status == status
                text = await response.text()

        assert "picam_webrtc_auth_failures_total 2.0" in text


@pytest.mark.parametrize(
    ("streams", "status"),
    [((PROCESSED, RAW), 200), ((PROCESSED, replace(RAW, live=False)), 503), ((), 503)],
)
async def test_ready_is_when_every_stream_has_a_source(
    client: aiohttp.ClientSession, sessions: FakeSessions, streams: tuple[StreamSnapshot, ...], status: int
) -> None:
    sessions.shown = SessionsSnapshot(streams)
    async with client.get("/readyz") as response:
        assert response.status == status
        assert ("Retry-After" in response.headers) == (status == 503)


async def test_health_and_readiness_need_no_token(sessions: FakeSessions) -> None:
    sessions.shown = SessionsSnapshot((RAW,))
    settings = WebRtcSettings(port=0, token="viewer-token-1")  # noqa: S106 -- a made-up one
    async with serve(make_app(sessions, settings), settings) as address, aiohttp.ClientSession(address.url) as client:
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 401)):
            async with client.get(path) as response:
                assert response.status == status

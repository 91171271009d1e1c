"""Publishing to, and being read by, a real media server: go2rtc on loopback, with real pictures."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from aiortc import RTCRtpSender

from picam_webrtc.camera.code import read_code
from picam_webrtc.declaration import ParameterValue
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc.streaming.publish import readers
from picam_webrtc.streaming.publish.publisher import PublishState
from picam_webrtc.streaming.publish.publishers import Publishers
from picam_webrtc_test.browser import open_chromium, wait_until
from picam_webrtc_test.media_server import Go2rtc, NoMediaServer, go2rtc, go2rtc_program, stream_state
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.streaming.fakes import RealViewer, until, viewer
from picam_webrtc_test.web.pattern import read_patterns
from picam_webrtc_test.web.robot import Robot, running_robot

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]
"""The first test's time includes building the media server, where that has not been done yet."""

CAMERA = CameraSettings(source="test_pattern", width=640, height=360)
RARE_KEYFRAMES = {"port": 0, "keyframe_interval": 600.0}
"""So that a picture that appears was asked for."""
READER_LOST_S = 40.0
"""go2rtc's ICE gives a reader up after 30 s whose goodbye was lost, as a datagram may be."""
TOKEN = "a-token-for-viewers"  # noqa: S105


@pytest.fixture(scope="session", autouse=True)
def built() -> Path:
    """Once for all tests."""
    try:
        return go2rtc_program()
    except NoMediaServer as error:
        pytest.skip(str(error))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Go2rtc]:
    async with go2rtc(tmp_path, {"camera": ""}) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def settings(**values: object) -> WebRtcSettings:
    return WebRtcSettings.from_values(RARE_KEYFRAMES | values)


@asynccontextmanager
async def publishing(given: WebRtcSettings, silence_limit_s: float = 10.0) -> AsyncIterator[tuple[Robot, Publishers]]:
    """A robot that publishes to everything in `publish_urls`, and is connected to it."""
    async with (
        running_robot(given, camera=CAMERA) as robot,
        Publishers(robot.sessions, given, silence_limit_s=silence_limit_s) as publishers,
    ):
        await until(lambda: all(one.state is PublishState.PUBLISHING for one in publishers.snapshot()))
        yield robot, publishers


async def read(http: aiohttp.ClientSession, url: str, reader: RealViewer) -> int:
    """Have a viewer read a stream from a media server; the server's status."""
    transceiver = reader.connection.addTransceiver("video", direction="recvonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    await reader.connection.setLocalDescription(await reader.connection.createOffer())
    headers = {"Content-Type": "application/sdp"}
    async with http.post(url, data=reader.connection.localDescription.sdp, headers=headers) as response:
        if response.status == HTTPStatus.CREATED:
            await reader.answered(await response.text())
        return response.status


def numbers(reader: RealViewer) -> list[int]:
    codes = [read_code(frame.to_ndarray(format="bgr24")) for frame in reader.frames]
    return [code.frame_number for code in codes if code is not None]


async def test_a_late_reader_of_a_published_stream_gets_a_key_frame_and_then_every_frame(
    server: Go2rtc, http: aiohttp.ClientSession
) -> None:
    async with publishing(settings(publish_urls=[f"raw:={server.whip('camera')}"])) as (robot, _):
        await until(lambda: robot.sessions.snapshot().viewers[0].frames_sent > 30)
        async with viewer() as late:
            assert await read(http, server.whep("camera"), late) == HTTPStatus.CREATED
            await late.see(30)
            seen = numbers(late)
        (published,) = robot.sessions.snapshot().viewers

    assert len(seen) >= 28
    assert seen == sorted(set(seen))
    assert published.keyframes_asked >= 1
    assert published.keyframes_sent >= 2
    assert published.address == "127.0.0.1"


async def test_many_readers_cost_the_robot_one_stream(server: Go2rtc, http: aiohttp.ClientSession) -> None:
    async with publishing(settings(publish_urls=[f"raw:={server.whip('camera')}"])) as (robot, _):
        async with viewer() as first, viewer() as second, viewer() as third:
            for reader in (first, second, third):
                await read(http, server.whep("camera"), reader)
            await asyncio.gather(*(reader.see(10) for reader in (first, second, third)))
            assert len((await stream_state(http, server, "camera"))["consumers"]) == 3
        assert len(robot.sessions) == 1


@pytest.mark.browser
async def test_a_browser_watches_through_the_media_server(server: Go2rtc) -> None:
    async with (
        publishing(settings(publish_urls=[f"raw:={server.whip('camera')}"])),
        open_chromium() as browser,
    ):
        page = await browser.open(f"{server.url}/stream.html?src=camera&mode=webrtc")
        await read_patterns(page)
        code = "picamPattern.read(document.querySelector('video'))?.number"
        first = await wait_until(page, code)
        await wait_until(page, f"{code} > {first + 60}")


@pytest.mark.ros
async def test_a_real_node_publishes_what_its_parameters_say(server: Go2rtc, http: aiohttp.ClientSession) -> None:
    parameters: dict[str, ParameterValue] = {
        "source": "test_pattern",
        "transform": "none",
        "port": 0,
        "publish_urls": (f"raw:={server.whip('camera')}",),
    }
    with node_process("picam_webrtc", parameters) as node:
        await asyncio.to_thread(node.wait_for_line, f"Publishing stream 'raw' to {server.url}")
        async with viewer() as reader:
            await read(http, server.whep("camera"), reader)
            await reader.see(10)
            assert numbers(reader)
        assert node.stop() == 0
    assert not (await stream_state(http, server, "camera"))["producers"]


async def test_stopping_frees_the_stream_at_the_media_server_at_once(
    server: Go2rtc, http: aiohttp.ClientSession
) -> None:
    async with publishing(settings(publish_urls=[f"raw:={server.whip('camera')}"])):
        assert (await stream_state(http, server, "camera"))["producers"]

    assert not (await stream_state(http, server, "camera"))["producers"]


async def test_a_media_server_that_was_killed_gets_its_stream_back_and_local_viewers_notice_nothing(
    server: Go2rtc, http: aiohttp.ClientSession
) -> None:
    given = settings(publish_urls=[f"raw:={server.whip('camera')}"])
    async with publishing(given, silence_limit_s=1.5) as (robot, publishers), viewer() as local:
        await local.watch(robot.sessions, "raw")
        await local.see(10)
        await until(lambda: all(one.loss is not None for one in robot.sessions.snapshot().viewers if one.address))
        before, started_s = local.count, time.monotonic()
        await server.kill()
        await until(lambda: publishers.snapshot()[0].failures >= 2)
        await server.start()
        restarted_s = time.monotonic()
        await until(lambda: publishers.snapshot()[0].state is PublishState.PUBLISHING)
        back_s = time.monotonic() - restarted_s
        async with viewer() as reader:
            await read(http, server.whep("camera"), reader)
            await reader.see(5)
        fps = (local.count - before) / (time.monotonic() - started_s)

    assert back_s < 5
    assert fps > 27


async def test_a_media_server_that_wants_another_password_is_told_of_and_asked_ever_more_rarely(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    api = {"username": "robot", "password": "right", "local_auth": True}
    async with go2rtc(tmp_path, {"camera": ""}, api) as server:
        right = server.whip("camera").replace("://", "://robot:right@")
        async with publishing(settings(publish_urls=[f"raw:={right}"])):
            pass
        wrong = settings(publish_urls=[f"raw:={right.replace('right', 'wrong')}"])
        async with running_robot(wrong, camera=CAMERA) as robot, Publishers(robot.sessions, wrong) as publishers:
            await until(lambda: publishers.snapshot()[0].failures >= 2)
            assert "refuses with 401" in publishers.snapshot()[0].error
            assert not robot.is_capturing


async def test_a_stream_without_readers_sleeps_and_wakes_for_the_first(
    server: Go2rtc, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "PAUSE_AFTER_S", 1.0)
    given = settings(
        publish_urls=[f"raw:={server.whip('camera')}"], publish_readers_urls=[f"raw:={server.readers('camera')}"]
    )
    async with publishing(given) as (robot, publishers):
        await until(lambda: publishers.snapshot()[0].state is PublishState.PAUSED)
        assert not robot.is_capturing
        async with viewer() as reader:
            assert await read(http, server.whep("camera"), reader) == HTTPStatus.CREATED
            await reader.see(5)
            assert publishers.snapshot()[0].readers == 1
        await until(lambda: publishers.snapshot()[0].state is PublishState.PAUSED)


async def test_a_media_server_reads_a_stream_while_somebody_reads_it_there(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    given = settings(token=TOKEN, keyframe_interval=1.0)
    async with running_robot(given, camera=CAMERA) as robot:
        source = f"webrtc:{robot.url}whep/raw?token={TOKEN}"
        async with go2rtc(tmp_path, {"camera": source}) as server:
            assert len(robot.sessions) == 0
            async with viewer() as first, viewer() as late:
                await read(http, server.whep("camera"), first)
                await first.see(30)
                # go2rtc asks no source of its own for key frames: a late reader waits for the next one.
                await read(http, server.whep("camera"), late)
                await late.see(10)
                assert len(robot.sessions) == 1
            await until(lambda: len(robot.sessions) == 0, READER_LOST_S)
            await until(lambda: not robot.is_capturing)


async def test_a_media_server_with_a_wrong_token_reads_nothing(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with running_robot(settings(token=TOKEN), camera=CAMERA) as robot:
        source = f"webrtc:{robot.url}whep/raw?token=a-wrong-token"
        async with go2rtc(tmp_path, {"camera": source}) as server, viewer() as reader:
            assert await read(http, server.whep("camera"), reader) >= HTTPStatus.BAD_REQUEST
            assert len(robot.sessions) == 0
            assert not robot.is_capturing

"""Plain pictures over HTTP, for whatever cannot do WebRTC."""

import asyncio

import aiohttp
import cv2
import numpy as np
import pytest

from picam_webrtc.camera.test_pattern import read_code
from picam_webrtc.errors import NoLiveSource, StreamError, TooManyViewers
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc_test.web.fakes import FakeSessions
from picam_webrtc_test.web.robot import Robot, running_robot

SMALL = CameraSettings(source="test_pattern", width=640, height=360)


async def read_picture(response: aiohttp.ClientResponse) -> bytes:
    """The next part of a multipart stream."""
    head = await response.content.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return await response.content.readexactly(int(length.partition(b":")[2]))


def number_in(jpeg: bytes) -> int:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (360, 640, 3)
    code = read_code(pixels)
    assert code is not None
    return code.frame_number


async def camera_sleeps(robot: Robot) -> None:
    async with asyncio.timeout(5):
        while robot.is_capturing:  # noqa: ASYNC110 -- the camera's own thread
            await asyncio.sleep(0.01)


async def test_pictures_follow_one_another_and_the_camera_sleeps_after_the_last_viewer() -> None:
    async with running_robot(camera=SMALL) as robot, aiohttp.ClientSession() as client:
        async with client.get(f"{robot.url}mjpeg/raw") as response:
            assert response.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            numbers = [number_in(await read_picture(response)) for _ in range(5)]
        await camera_sleeps(robot)

    assert numbers == sorted(set(numbers))


async def test_the_rate_is_bounded_by_the_parameter() -> None:
    settings = WebRtcSettings(port=0, mjpeg_frame_rate=5.0)
    clock = asyncio.get_running_loop().time
    async with running_robot(settings, camera=SMALL) as robot, aiohttp.ClientSession() as client:
        async with client.get(f"{robot.url}mjpeg") as response:
            await read_picture(response)
            began = clock()
            for _ in range(5):
                await read_picture(response)

        assert clock() - began > 0.75


async def test_one_picture_is_a_jpeg_with_its_time_of_capture() -> None:
    async with running_robot(camera=SMALL) as robot, aiohttp.ClientSession() as client:
        async with client.get(f"{robot.url}snapshot/processed.jpg") as response:
            assert response.content_type == "image/jpeg"
            assert float(response.headers["X-Timestamp"]) > 1.6e9
            number_in(await response.read())
        await camera_sleeps(robot)


@pytest.mark.parametrize(
    ("error", "status"), [(NoLiveSource("nobody publishes"), 409), (TooManyViewers("8 of 8"), 503)]
)
async def test_a_refusal_has_its_status(
    client: aiohttp.ClientSession, sessions: FakeSessions, error: StreamError, status: int
) -> None:
    sessions.error = error
    for path in ("/mjpeg/raw", "/snapshot/raw.jpg"):
        async with client.get(path) as response:
            assert response.status == status
            assert "Retry-After" in response.headers


async def test_a_plain_viewer_holds_a_place() -> None:
    settings = WebRtcSettings(port=0, max_viewers=1)
    async with running_robot(settings, camera=SMALL) as robot, aiohttp.ClientSession() as client:
        async with client.get(f"{robot.url}mjpeg") as first:
            await read_picture(first)
            async with client.get(f"{robot.url}mjpeg") as second:
                assert second.status == 503
        await camera_sleeps(robot)
        async with client.get(f"{robot.url}snapshot/raw.jpg") as third:
            assert third.status == 200


async def test_an_unknown_stream_is_not_found(client: aiohttp.ClientSession) -> None:
    for path in ("/mjpeg/side", "/snapshot/side.jpg"):
        async with client.get(path) as response:
            assert response.status == 404

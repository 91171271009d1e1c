"""What a person at the robot does with the page, in each browser, with real pictures from a real server."""

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from picam_webrtc.camera.test_pattern import read_code
from picam_webrtc.frame import Pixels
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc_test.browser import (
    Browser,
    Chromium,
    ChromiumPage,
    OpenBrowser,
    Page,
    open_chromium,
    open_firefox,
    wait_until,
)
from picam_webrtc_test.web.robot import find_the_frame_number, running_robot

pytestmark = pytest.mark.browser

SMALL = CameraSettings(source="test_pattern", width=640, height=360)
PATIENCE_S = 10.0
RECORDED_S = 3
LIVE = "document.body.dataset.state === 'live'"
FALLBACK = "document.body.dataset.state === 'fallback'"
WORDS = "document.querySelector('.picam-words').textContent"
CATCH_DOWNLOADS = """(() => {
  globalThis.downloads = [];
  let saved = null;
  const original = URL.createObjectURL;
  URL.createObjectURL = (blob) => original.call(URL, (saved = blob));
  HTMLAnchorElement.prototype.click = async function () {
    const bytes = new Uint8Array(await saved.arrayBuffer());
    downloads.push([this.download, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))]);
  };
})()"""


@pytest.fixture(params=[open_chromium, open_firefox])
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    open_browser: OpenBrowser = request.param
    async with open_browser() as browser:
        yield browser


async def next_download(page: Page) -> tuple[str, bytes]:
    """The file that the page saves next. Headless Firefox has no place to save to, so the link is caught."""
    name, data = await wait_until(page, "downloads.shift()")
    return name, base64.b64decode(data)


def own_errors(page: Page) -> list[str]:
    """Without the HTTP error statuses that Chromium reports, however well a page handles them."""
    return [error for error in page.errors if not error.startswith("Failed to load resource")]


def picture_of(png: bytes) -> Pixels:
    pixels: Pixels | None = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels


async def test_a_stream_plays_and_says_how_late_it_is(browser: Browser) -> None:
    async with running_robot(camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        latency = await wait_until(page, "document.querySelector('#latency').textContent")
        await page.press("i")
        stages = await wait_until(
            page, "(s => s.length && [...s].map((li) => li.textContent))(document.querySelectorAll('#stages li'))"
        )
        rendition = await wait_until(page, "document.querySelector('#rendition').textContent")
        assert page.errors == []

    assert 1 < float(latency.removesuffix(" ms")) < 1000
    assert any(stage.startswith("encode") for stage in stages)
    assert rendition.startswith("640×360 ")


async def test_the_grid_plays_all_streams_and_one_click_leads_to_full_view(browser: Browser) -> None:
    async with running_robot(camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        await page.press("g")
        await wait_until(page, "document.querySelectorAll('.tile[data-state=live]').length === 2")
        assert await page.evaluate("location.search") == "?view=grid"

        await page.click(".tile[href$=raw]")
        await wait_until(page, "location.search === '?stream=raw'")
        await wait_until(page, f"{LIVE} && document.querySelectorAll('video').length === 1")
        async with asyncio.timeout(PATIENCE_S):
            while len(robot.sessions) > 1:  # noqa: ASYNC110 -- the tiles' sessions end on the server
                await asyncio.sleep(0.05)
        assert page.errors == []


@pytest.mark.parametrize("boxes", [True, False])
async def test_a_snapshot_is_a_png_at_full_size_with_or_without_boxes(browser: Browser, boxes: bool) -> None:
    camera = CameraSettings(source="test_pattern")
    async with running_robot(camera=camera, find=find_the_frame_number) as robot:
        page = await browser.open(robot.url, width=640, height=480)
        await wait_until(page, "document.querySelector('#legend label') !== null")
        # Firefox does not tell when a callback comes too late for its picture, as it may while a page begins.
        await wait_until(page, "document.querySelector('video').currentTime > 2")
        await page.evaluate(CATCH_DOWNLOADS)
        color = await page.evaluate("import('/overlay.js').then(({ colorOf }) => colorOf('number'))")
        if not boxes:
            await page.press("b")
        await page.press("s")
        name, png = await next_download(page)
        assert page.errors == []

    picture = picture_of(png)
    code = read_code(picture)
    assert re.fullmatch(r"processed-\d{4}(-\d\d){5}\.png", name)
    assert picture.shape == (720, 1280, 3)
    assert code is not None
    left = 100 + code.frame_number % 64 * 10
    red, green, blue = (int(color[index : index + 2], 16) for index in (1, 3, 5))
    distances = np.abs(picture[400, left - 1 : left + 2].astype(int) - (blue, green, red)).max(axis=1)
    assert bool(distances.min() < 24) is boxes


async def test_a_snapshot_comes_when_pictures_have_just_stopped(browser: Browser) -> None:
    async with running_robot(camera=SMALL, find=find_the_frame_number) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, "document.querySelector('#legend label') !== null")
        await page.evaluate(CATCH_DOWNLOADS)
        await asyncio.to_thread(robot.capture.stop)
        await page.press("s")
        _, png = await next_download(page)

    assert picture_of(png).shape == (SMALL.height, SMALL.width, 3)


async def test_a_recording_is_a_film_that_plays(browser: Browser) -> None:
    async with running_robot(camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        await page.evaluate(CATCH_DOWNLOADS)
        began = await page.evaluate("document.querySelector('video').currentTime")
        await page.press("r")
        await wait_until(page, "document.querySelector('#record').ariaPressed === 'true'")
        await wait_until(page, f"document.querySelector('video').currentTime > {began + RECORDED_S}")
        await page.press("r")
        name, film = await next_download(page)
        assert page.errors == []

    assert Path(name).suffix in (".webm", ".mp4")
    with av.open(io.BytesIO(film), "r") as container:
        frames = list(container.decode(video=0))
    numbers = [code.frame_number for frame in frames if (code := read_code(frame.to_ndarray(format="bgr24")))]
    assert len(frames) >= 15 * RECORDED_S, "a browser without a GPU may leave out frames, but not most of them"
    assert len(numbers) >= 0.9 * len(frames)
    assert numbers == sorted(numbers)


async def test_a_wrong_token_is_refused_in_words_and_the_right_one_lets_in(browser: Browser) -> None:
    settings = WebRtcSettings(port=0, token="open-sesame")  # noqa: S106
    async with running_robot(settings, camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, f"{WORDS}.includes('Not allowed')")
        await type_token(page, "wrong-sesame")
        await wait_until(page, "document.querySelector('#token').placeholder === 'that was not it'")
        await type_token(page, "open-sesame")
        await wait_until(page, LIVE)

    assert own_errors(page) == []


async def type_token(page: Page, token: str) -> None:
    await page.evaluate(f"(document.querySelector('#token').value = {token!r})")
    await page.click("#token-form button")


async def test_beyond_the_limit_the_page_says_full_and_gets_in_when_a_place_is_free(browser: Browser) -> None:
    settings = WebRtcSettings(port=0, max_viewers=1)
    async with running_robot(settings, camera=SMALL) as robot:
        first = await browser.open(robot.url)
        await wait_until(first, LIVE)
        second = await browser.open(robot.url)
        await wait_until(second, f"{WORDS}.includes('Full')")
        await first.close()
        await wait_until(second, LIVE)

    assert own_errors(second) == []


NO_WEBRTC = "delete globalThis.RTCPeerConnection"
NO_PATH = """(() => {
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return original.call(this, { type, sdp: sdp.replaceAll(/^a=candidate:.*\\r\\n/gm, "") });
  };
})()"""


@pytest.mark.parametrize("obstacle", [NO_WEBRTC, NO_PATH], ids=["no WebRTC", "no path"])
async def test_where_webrtc_does_not_get_through_plain_pictures_come_in_chromium(obstacle: str) -> None:
    async with running_robot(camera=SMALL) as robot, open_chromium() as chromium:
        assert isinstance(chromium, Chromium)
        tab = await chromium.playwright.new_page()
        await tab.add_init_script(obstacle)
        page = ChromiumPage(tab)
        await tab.goto(robot.url)
        await plays_plain_pictures(page)


async def test_where_webrtc_is_switched_off_plain_pictures_come_in_firefox() -> None:
    async with running_robot(camera=SMALL) as robot, open_firefox(media__peerconnection__enabled=False) as firefox:
        await plays_plain_pictures(await firefox.open(robot.url))


async def number_in_a_snapshot(page: Page) -> int:
    await page.press("s")
    code = read_code(picture_of((await next_download(page))[1]))
    assert code is not None
    return code.frame_number


async def plays_plain_pictures(page: Page) -> None:
    """Pictures change, and a snapshot is one of them."""
    await wait_until(page, FALLBACK)
    await page.evaluate(CATCH_DOWNLOADS)
    first = number = await number_in_a_snapshot(page)
    async with asyncio.timeout(PATIENCE_S):
        while number == first:
            number = await number_in_a_snapshot(page)
    assert number > first
    assert own_errors(page) == []


async def test_a_silent_camera_is_shown_as_stale_and_as_live_when_it_speaks_again(browser: Browser) -> None:
    async with running_robot(camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        await asyncio.to_thread(robot.capture.stop)
        await wait_until(page, f"/^No frames for [1-9]\\d* s$/.test({WORDS})")
        assert await page.evaluate("getComputedStyle(document.querySelector('video')).filter") != "none"
        robot.capture.start()
        await wait_until(page, LIVE)
        assert page.errors == []


@pytest.mark.parametrize(
    ("frame_id", "words"), [("test_pattern", "Test pattern: the robot has no camera"), ("cam", "Live")]
)
async def test_a_test_pattern_that_stands_in_for_the_camera_is_called_so(
    browser: Browser, frame_id: str, words: str
) -> None:
    async with running_robot(camera=replace(SMALL, frame_id=frame_id)) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        await wait_until(page, f"{WORDS} === '{words}' && document.querySelector('#words').textContent === '{words}'")
        visible = await page.evaluate("getComputedStyle(document.querySelector('.picam-words')).display !== 'none'")
        assert page.errors == []

    assert visible == (frame_id == "test_pattern")


async def test_every_button_has_a_name_and_can_be_reached_by_keyboard(browser: Browser) -> None:
    async with running_robot(camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
        unnamed = "[...document.querySelectorAll('button, a, input, select')]"
        unnamed += ".filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))"
        assert await page.evaluate(f"{unnamed}.length") == 0
        reached = set()
        for _ in range(14):
            await page.press("Tab")
            reached.add(await page.evaluate("document.activeElement.id"))

    assert {"boxes", "snapshot", "statistics-toggle", "grid-toggle"} <= reached


@pytest.mark.heavy
async def test_the_server_restarts_and_the_page_plays_again_within_5_s(browser: Browser) -> None:
    settings = WebRtcSettings(port=0)
    async with running_robot(settings, camera=SMALL) as robot:
        page = await browser.open(robot.url)
        await wait_until(page, LIVE)
    await wait_until(page, f"!({LIVE})")
    port = int(robot.url.rsplit(":", 1)[1].strip("/"))
    async with running_robot(replace(settings, port=port), camera=SMALL):
        await wait_until(page, LIVE, timeout_s=5)

    assert own_errors(page) == []

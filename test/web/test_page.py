"""The page before a real server with a fake streaming side: what it says, and how it asks again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from picam_webrtc.errors import NoLiveSource, StreamError, TooManyViewers, UnusableOffer
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve
from picam_webrtc_test.browser import Browser, OpenBrowser, open_chromium, open_firefox, wait_until
from picam_webrtc_test.web.fakes import FakeSessions

pytestmark = pytest.mark.browser

WORDS = "document.querySelector('.picam-words').textContent"
SPOKEN = "document.querySelector('[role=status]').textContent"
CURRENT = "document.querySelector('#streams [aria-current=page]')?.textContent"


@pytest.fixture(params=[open_chromium, open_firefox])
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    open_browser: OpenBrowser = request.param
    async with open_browser() as browser:
        yield browser


@pytest.fixture
async def page_url(sessions: FakeSessions, settings: WebRtcSettings) -> AsyncIterator[str]:
    async with serve(make_app(sessions, settings), settings) as address:
        yield address.url


async def test_the_streams_are_links_and_the_address_names_the_one_shown(browser: Browser, page_url: str) -> None:
    page = await browser.open(page_url)
    await wait_until(page, f"{CURRENT} === 'processed'")

    await page.click("#streams a[href$=raw]")
    await wait_until(page, f"{CURRENT} === 'raw' && location.search === '?stream=raw'")
    assert await page.evaluate("document.title") == "raw · picam_webrtc"

    await page.evaluate("history.back()")
    await wait_until(page, f"{CURRENT} === 'processed' && location.search === ''")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoLiveSource("nobody publishes image_processed"), "No camera"),
        (TooManyViewers("8 of 8"), "Full"),
        (UnusableOffer("no codec in common"), "no video codec"),
    ],
)
async def test_the_page_says_in_words_what_is_wrong(
    browser: Browser, page_url: str, sessions: FakeSessions, error: StreamError, words: str
) -> None:
    sessions.error = error
    page = await browser.open(page_url)

    await wait_until(page, f"{WORDS}.includes({words!r})")
    assert words in await page.evaluate(SPOKEN)


async def test_a_refused_viewer_waits_as_long_as_the_server_asks(
    browser: Browser, page_url: str, sessions: FakeSessions
) -> None:
    sessions.error = NoLiveSource("nobody publishes image_processed")
    clock = asyncio.get_running_loop().time
    page = await browser.open(page_url)
    await wait_until(page, "document.body.dataset.state === 'waiting'")
    first = clock()
    await wait_until(
        page, "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/whep')).length > 1"
    )

    assert 0.75 < clock() - first < 4, "the server says Retry-After: 1, and a first pause of the page's own is 0.3 s"


async def test_a_server_that_is_gone_is_found_again(browser: Browser, sessions: FakeSessions) -> None:
    sessions.error = NoLiveSource("nobody publishes image_processed")
    settings = WebRtcSettings(port=0)
    async with serve(make_app(sessions, settings), settings) as address:
        page = await browser.open(address.url)
        await wait_until(page, f"{WORDS}.includes('No camera')")
    await wait_until(page, f"{WORDS}.includes('does not answer')")
    async with serve(make_app(sessions, settings), replace(settings, port=address.port)):
        await wait_until(page, f"{WORDS}.includes('No camera')")


async def test_a_page_of_which_a_part_was_lost_is_loaded_again(browser: Browser, sessions: FakeSessions) -> None:
    lost, asked_again = asyncio.Event(), asyncio.Event()

    @web.middleware
    async def lose_the_first(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/words.js":
            if not lost.is_set():
                lost.set()
                raise web.HTTPServiceUnavailable
            asked_again.set()
        return await handler(request)

    settings = WebRtcSettings(port=0)
    app = make_app(sessions, settings)
    app.middlewares.append(lose_the_first)
    async with serve(app, settings) as address:
        page = await browser.open(address.url)
        await asyncio.wait_for(asked_again.wait(), 20)
        await wait_until(page, f"{CURRENT} === 'processed'")


async def test_an_embedded_page_is_nothing_but_the_picture(browser: Browser, page_url: str) -> None:
    page = await browser.open(f"{page_url}?stream=raw&embed=1", width=640, height=360)

    assert not await page.evaluate("document.querySelector('header').checkVisibility()")
    assert await page.evaluate(
        "(b => [b.width, b.height])(document.querySelector('video').getBoundingClientRect())"
    ) == [
        640,
        360,
    ]


async def test_a_token_in_the_address_does_not_stay_there(browser: Browser, page_url: str) -> None:
    page = await browser.open(f"{page_url}?token=secret&stream=raw")

    await wait_until(page, "location.search === '?stream=raw'")


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_sticks_out_of_a_window_of_any_width(browser: Browser, page_url: str, width: int) -> None:
    page = await browser.open(page_url, width=width)
    await wait_until(page, CURRENT)

    edges = "[...document.querySelectorAll('header, header button')].map((e) => e.getBoundingClientRect().right)"
    assert max(await page.evaluate(edges)) <= width


async def test_the_page_writes_no_error_to_the_console(browser: Browser, page_url: str, sessions: FakeSessions) -> None:
    page = await browser.open(page_url)
    await wait_until(page, "document.body.dataset.state !== 'idle'")

    assert page.errors == []

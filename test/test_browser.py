"""Both browsers are driven alike."""

from pathlib import Path

import pytest
from aiohttp import web

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.server import serve
from picam_webrtc_test.browser import OpenBrowser, open_chromium, open_firefox, wait_until

PAGE = """<!doctype html><title>A page</title><link rel="icon" href="data:,">
<button id=b onclick="this.textContent = 'clicked'">no</button>
<script>document.onkeydown = event => document.title = event.key; console.error('on purpose')</script>"""


@pytest.mark.browser
@pytest.mark.parametrize("open_browser", [open_chromium, open_firefox])
async def test_a_page_is_opened_read_clicked_and_photographed(open_browser: OpenBrowser, tmp_path: Path) -> None:
    async def page_of_test(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page_of_test)
    async with serve(app, WebRtcSettings(port=0)) as address, open_browser() as browser:
        page = await browser.open(address.url)
        await page.click("#b")
        await page.press("Enter")

        assert await wait_until(page, "document.title === 'Enter'")
        assert await page.evaluate("[1, Promise.resolve('x')].length") == 2
        assert await page.evaluate("document.querySelector('#b').textContent") == "clicked"
        assert page.errors == ["on purpose"]
        await page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
        await page.close()

"""Players that nobody here wrote watch over WHEP."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.browser import OpenBrowser, open_chromium, open_firefox, wait_until
from picam_webrtc_test.web.live import live_server

CLIENTS = Path(__file__).parents[2] / "picam_webrtc_test" / "web" / "clients"
TOKEN = "viewer-token-1"  # noqa: S105 -- a made-up one
PICTURES, TIMEOUT_S = 60, 30
WRTC_PACKAGE = "@roamhq/wrtc@0.10.0"


async def run(*command: str, **environment: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 2 * TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output


@pytest.fixture(scope="session")
def wrtc_modules() -> Path:
    """Where the npm package is, installed once for all test runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "picam_webrtc" / "test" / "npm"
    if not (cache / "node_modules" / "@roamhq" / "wrtc").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(cache), WRTC_PACKAGE]
        subprocess.run(command, check=True, timeout=300)
    return cache


@pytest.mark.browser
@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_gstreamers_webrtcbin_plays(codec: str) -> None:
    settings = WebRtcSettings(port=0, token=TOKEN)
    async with live_server(settings) as live:
        endpoint = f"{live.url}whep?token={TOKEN}"
        player = str(CLIENTS / "gstreamer.py")
        output = await run("/usr/bin/python3", player, endpoint, codec, str(PICTURES), str(TIMEOUT_S))
        result: dict[str, Any] = json.loads(output.splitlines()[-1])

        assert result == {"pictures": PICTURES, "error": ""}
        assert len(live.sessions) == 0


@pytest.mark.browser
async def test_libwebrtc_from_npm_plays_with_trickled_candidates(wrtc_modules: Path) -> None:
    settings = WebRtcSettings(port=0, token=TOKEN)
    async with live_server(settings) as live:
        player = str(CLIENTS / "wrtc.mjs")
        arguments = (f"{live.url}whep/processed", TOKEN, str(PICTURES), str(TIMEOUT_S))
        output = await run("node", player, *arguments, CLIENT_MODULES=str(wrtc_modules))

        assert json.loads(output) == {"pictures": PICTURES, "patched": [204], "deleted": 200}
        assert len(live.sessions) == 0


@pytest.mark.browser
@pytest.mark.parametrize("open_browser", [open_chromium, open_firefox])
async def test_the_page_plays_for_who_follows_the_link_with_the_token(open_browser: OpenBrowser) -> None:
    settings = WebRtcSettings(port=0, token=TOKEN)
    async with live_server(settings) as live, open_browser() as browser:
        page = await browser.open(f"{live.url}?token={TOKEN}")
        await wait_until(page, "document.querySelector('video')?.currentTime > 1")

        assert await page.evaluate("location.search") == ""
        assert TOKEN not in await page.evaluate("document.cookie")


@pytest.mark.browser
@pytest.mark.parametrize("open_browser", [open_chromium, open_firefox])
async def test_the_page_plays_over_tls_of_our_own_making(
    open_browser: OpenBrowser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody vouches for the certificate, so a person would be asked; here the browser is told to go on."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with live_server(WebRtcSettings(port=0, tls="auto")) as live, open_browser() as browser:
        page = await browser.open(live.url)
        await wait_until(page, "document.querySelector('video')?.currentTime > 1")

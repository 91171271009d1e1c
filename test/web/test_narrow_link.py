"""A browser behind a narrow link, a real one."""

import asyncio
import json
import sys

import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.streaming.links import available, link
from picam_webrtc_test.web.live import live_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.heavy,
    pytest.mark.skipif(not available(), reason="needs root, iproute2 and nftables"),
]
TOKEN = "viewer-token-1"  # noqa: S105
PICTURES = 450


async def test_the_page_plays_a_smaller_picture_without_a_break() -> None:
    with link() as narrow:
        settings = WebRtcSettings.from_values({"host": narrow.address, "port": 0, "token": TOKEN, "bitrate": 2_000_000})
        narrow.narrow(kbit_per_s=500)
        async with live_server(settings) as live:
            client = (
                sys.executable,
                "-m",
                "picam_webrtc_test.web.clients.page",
                f"{live.url}?token={TOKEN}",
                str(PICTURES),
            )
            process = await asyncio.create_subprocess_exec(*narrow.inside(), *client, stdout=asyncio.subprocess.PIPE)
            output, _ = await asyncio.wait_for(process.communicate(), 90)
            (viewer,) = live.sessions.snapshot().viewers

    assert process.returncode == 0
    print(viewer)
    before, after = map(json.loads, output.splitlines())
    print(before, after)
    assert viewer.rung == "quarter"
    assert after["height"] == 180
    assert after["freezes"] == before["freezes"]
    assert 1000 * (after["frames"] - before["frames"]) / (after["timeMs"] - before["timeMs"]) >= 25

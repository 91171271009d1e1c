"""A browser behind a narrow link, a real one."""

import asyncio
import itertools
import json
import sys
from typing import Any

import pytest

from picam_webrtc.settings import WebRtcSettings
from test.streaming.links import available, link
from test.web.live import live_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.heavy,
    pytest.mark.skipif(not available(), reason="needs root, iproute2 and nftables"),
]
TOKEN = "viewer-token-1"  # noqa: S105
PICTURES = ("150", "300", "450", "600", "750")
"""While the first come the link is still flooded. Between two of these all must be calm at least once."""
LEAST_RATE = 25.0


async def test_the_page_plays_a_smaller_picture_without_a_break() -> None:
    with link() as narrow:
        settings = WebRtcSettings.from_values({"host": narrow.address, "port": 0, "token": TOKEN, "bitrate": 2_000_000})
        narrow.narrow(kbit_per_s=500)
        async with live_server(settings) as live:
            client = (sys.executable, "-m", "test.web.clients.page", f"{live.url}?token={TOKEN}", *PICTURES)
            process = await asyncio.create_subprocess_exec(*narrow.inside(), *client, stdout=asyncio.subprocess.PIPE)
            output, _ = await asyncio.wait_for(process.communicate(), 90)
            (viewer,) = live.sessions.snapshot().viewers

    assert process.returncode == 0
    seen = [json.loads(line) for line in output.splitlines()]
    assert viewer.rung == "quarter", viewer
    assert seen[-1]["height"] == 180
    assert any(is_calm(before, after) for before, after in itertools.pairwise(seen)), (seen, viewer)


def is_calm(before: dict[str, Any], after: dict[str, Any]) -> bool:
    seconds = (after["timeMs"] - before["timeMs"]) / 1000
    breaks = after["freezes"] - before["freezes"]
    return bool(breaks == 0 and after["frames"] - before["frames"] >= LEAST_RATE * seconds)

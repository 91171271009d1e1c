"""A viewer whose direct path is blocked watches through a TURN server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc_test.web.live import live_server
from picam_webrtc_test.web.networks import RELAY_FAR, RELAY_NEAR, ROBOT, inside, relay_between

TOKEN, SHARED, NAME, WORD = "viewer-token-1", "north-south-east", "robot", "west-of-here"
PICTURES = 60

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root"),
]


@asynccontextmanager
async def turn_server(namespace: str, directory: Path, *credentials: str) -> AsyncIterator[None]:
    """coturn, reached by the viewer on one side and relaying on the other."""
    addresses = (f"--listening-ip={RELAY_FAR}", f"--relay-ip={RELAY_NEAR}")
    files = (f"--userdb={directory}/db", f"--pidfile={directory}/pid", "--log-file=stdout")
    rest = ("--verbose", "-n", "--no-cli", "--no-tls", "--no-dtls", "--realm=robot")
    process = await asyncio.create_subprocess_exec(
        *inside(namespace, "turnserver", *addresses, *files, *rest, *credentials),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while b"UDP listener opened" not in (line := await process.stdout.readline()):
                assert line, "coturn ended"
        drain = asyncio.create_task(process.stdout.read())
        yield
    finally:
        process.terminate()
        await process.wait()
    await drain


@pytest.mark.parametrize(
    ("credentials", "parameters"),
    [
        (("--use-auth-secret", f"--static-auth-secret={SHARED}"), {"turn_secret": SHARED}),
        (("--lt-cred-mech", f"--user={NAME}:{WORD}"), {"turn_username": NAME, "turn_password": WORD}),
    ],
    ids=["shared secret", "static"],
)
async def test_the_page_plays_through_the_relay(
    credentials: tuple[str, ...], parameters: dict[str, str], tmp_path: Path
) -> None:
    servers = (f"turn:{RELAY_FAR}:3478?transport=udp",)
    values = {"host": ROBOT, "port": 0, "token": TOKEN, "ice_servers": servers, **parameters}
    with relay_between() as networks:
        async with (
            turn_server(networks.relay, tmp_path, *credentials),
            live_server(WebRtcSettings.from_values(values)) as live,
        ):
            page = (
                sys.executable,
                "-m",
                "picam_webrtc_test.web.clients.page",
                f"{live.url}?token={TOKEN}",
                str(PICTURES),
            )
            process = await asyncio.create_subprocess_exec(
                *inside(networks.viewer, *page), stdout=asyncio.subprocess.PIPE
            )
            output, _ = await asyncio.wait_for(process.communicate(), 60)

            assert process.returncode == 0
            assert [json.loads(line)["path"] for line in output.splitlines()] == ["relay", "relay"]

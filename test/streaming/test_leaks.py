"""Five hundred viewers come and go, and nothing of them stays."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench.child import Child
from bench.light_viewer import CaptureClock, LightViewer
from bench.viewers import SERVER

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300)]

VISITS = 500
MOST_AT_A_TIME = 16
WARM_UP = 60


@pytest.fixture
async def server() -> AsyncIterator[Child]:
    server = await Child.start(SERVER, "ours")
    yield server
    await server.stop()


class Guest:
    """A viewer, and its session on the server."""

    def __init__(self, viewer: LightViewer, session_id: str) -> None:
        self.viewer, self.session_id = viewer, session_id


async def come(server: Child) -> Guest:
    viewer = LightViewer(CaptureClock().age_s)
    answer = await server.ask(op="answer", sdp=await viewer.offer())
    await viewer.accept(answer["sdp"])
    return Guest(viewer, answer["id"])


async def go(server: Child, guest: Guest, politely: bool) -> None:
    """By DELETE, or by hanging up."""
    if politely:
        await server.ask(op="leave", id=guest.session_id)
    await guest.viewer.close()


async def visit(server: Child, visits: int, chance: random.Random) -> None:
    """Viewers come and go in random order; some before they are connected."""
    guests: list[Guest] = []
    for _ in range(visits):
        guests.append(await come(server))
        if chance.random() < 0.7:
            await asyncio.wait_for(guests[-1].viewer.first_frame.wait(), 20)
        while len(guests) > chance.randrange(MOST_AT_A_TIME):
            await go(server, guests.pop(chance.randrange(len(guests))), politely=True)
        if guests and chance.random() < 0.3:
            unconnected = [guest for guest in guests if not guest.viewer.first_frame.is_set()]
            leaving = (unconnected or guests)[0]
            guests.remove(leaving)
            await go(server, leaving, politely=leaving in unconnected)
    for guest in guests:
        await go(server, guest, politely=True)


async def settled(server: Child) -> dict[str, Any]:
    """The server's resources once every session has ended."""
    for _ in range(100):
        if not (await server.ask(op="usage"))["viewers"]:
            break
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)
    await server.ask(op="tidy")
    return await server.ask(op="usage")


async def test_five_hundred_joins_and_leaves_leave_nothing_behind(server: Child) -> None:
    chance = random.Random(5)  # noqa: S311 (repeatable on purpose)
    await visit(server, WARM_UP, chance)
    before = await settled(server)
    await visit(server, VISITS, chance)
    after = await settled(server)
    print(before, after, sep="\n")

    assert after["encoders"] == []
    assert after["tasks"] <= before["tasks"]
    assert after["threads"] <= before["threads"]
    assert after["descriptors"] <= before["descriptors"]
    assert after["rss_mb"] - before["rss_mb"] < 10

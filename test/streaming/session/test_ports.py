"""UDP ports from a range, for firewalls."""

import asyncio
import re
import socket

import pytest

from picam_webrtc.errors import SettingError, TooManyViewers
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.session.ports import ice_ports, udp_ports
from picam_webrtc_test.streaming.fakes import Source, running, viewer

FIRST, LAST = 22650, 22699
"""Outside the ports that the kernel gives out by itself (32768 to 60999)."""
RANGE = WebRtcSettings(ice_port_min=FIRST, ice_port_max=LAST)


async def bound_port(address: str = "127.0.0.1") -> tuple[asyncio.DatagramTransport, int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(address, 0)
    )
    return transport, transport.get_extra_info("sockname")[1]


async def test_every_candidate_has_a_port_of_the_range_and_the_viewer_sees_the_picture() -> None:
    async with running(Source(), RANGE) as (sessions, _), viewer() as watching:
        session = await watching.watch(sessions)
        await watching.see(3)

        ports = [int(port) for port in re.findall(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+) ", session.sdp)]
        assert ports
        assert all(FIRST <= port <= LAST for port in ports)


async def test_without_a_free_port_no_more_viewers_are_let_in() -> None:
    settings = WebRtcSettings(ice_port_min=FIRST, ice_port_max=FIRST)
    async with running(Source(), settings) as (sessions, stream):
        first = await sessions.offer(stream.name)
        with pytest.raises(TooManyViewers, match="no UDP port is free"):
            await sessions.offer(stream.name)
        assert len(sessions) == 1

        await sessions.close(first.id)
        await sessions.offer(stream.name)


async def test_only_tasks_made_inside_the_block_are_concerned() -> None:
    with udp_ports(range(FIRST, LAST + 1)):
        inside = asyncio.create_task(bound_port())
    outside = asyncio.create_task(bound_port())
    for task, in_range in ((inside, True), (outside, False)):
        transport, port = await task
        assert (FIRST <= port <= LAST) is in_range
        transport.close()


async def test_a_foreign_address_is_refused_at_once() -> None:
    with udp_ports(range(FIRST, LAST + 1)):
        task = asyncio.create_task(bound_port("192.0.2.254"))
    with pytest.raises(OSError, match="assign requested address") as refused:
        await task
    assert not isinstance(refused.value, socket.gaierror)


@pytest.mark.parametrize(("first", "last"), [(0, 5000), (5000, 0), (5001, 5000)])
def test_half_a_range_is_refused(first: int, last: int) -> None:
    with pytest.raises(SettingError, match="from 1 to ice_port_max"):
        ice_ports(WebRtcSettings(ice_port_min=first, ice_port_max=last))

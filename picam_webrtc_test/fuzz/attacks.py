"""Damaged offers, fragments, answers, requests and RTCP packets, thrown at a live server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from types import MappingProxyType

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from picam_webrtc_test.fuzz import seeds
from picam_webrtc_test.fuzz.mutations import Mutator
from picam_webrtc_test.web.live import Live

CRLF = b"\r\n"
REQUESTS_AT_A_TIME = 25
RAW_TIMEOUT_S = 0.5
"""A damaged request may leave the server waiting for the rest of it."""

Outcomes = Counter[str]
Attack = Callable[[Live, Random, int, Outcomes], Awaitable[None]]


async def attack_with_offers(live: Live, random: Random, count: int, outcomes: Outcomes) -> None:
    mutate = Mutator(random, seeds.OFFERS, CRLF)
    async with aiohttp.ClientSession(live.url) as client:
        for _ in range(count):
            headers = {"Content-Type": "application/sdp"}
            async with client.post("/whep", data=mutate(), headers=headers) as response:
                outcomes[str(response.status)] += 1
            if response.status == 201:
                async with client.delete(response.headers["Location"]):
                    pass


async def attack_with_answers(live: Live, random: Random, count: int, outcomes: Outcomes) -> None:
    mutate = Mutator(random, seeds.ANSWERS, CRLF)
    async with aiohttp.ClientSession(live.url) as client:
        for _ in range(count):
            async with client.post("/webrtc") as response:
                path = response.headers["Location"]
            answer = {"sdp": mutate().decode(errors="surrogateescape"), "type": "answer"}
            async with client.post(path, json=answer) as response:
                outcomes[str(response.status)] += 1
            async with client.delete(path):
                pass


@asynccontextmanager
async def session(live: Live) -> AsyncIterator[tuple[aiohttp.ClientSession, str, str]]:
    """A client, and path and ETag of a session that never connects."""
    async with aiohttp.ClientSession(live.url) as client:
        headers = {"Content-Type": "application/sdp"}
        async with client.post("/whep", data=seeds.OFFERS[0], headers=headers) as response:
            assert response.status == 201
            path, etag = response.headers["Location"], response.headers["ETag"]
        try:
            yield client, path, etag
        finally:
            async with client.delete(path):
                pass


async def attack_with_fragments(live: Live, random: Random, count: int, outcomes: Outcomes) -> None:
    mutate = Mutator(random, seeds.FRAGMENTS, CRLF)
    rest = count
    while rest > 0:
        async with session(live) as (client, path, etag):
            headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag}
            for _ in range(min(rest, 500)):
                rest -= 1
                async with client.patch(path, data=mutate(), headers=headers) as response:
                    outcomes[str(response.status)] += 1
                if response.status == 404:  # its ICE has failed for good
                    break


async def attack_with_requests(live: Live, random: Random, count: int, outcomes: Outcomes) -> None:
    mutate = Mutator(random, seeds.requests("/whep/processed/00000000-0000-4000-8000-000000000000"), CRLF)
    for start in range(0, count, REQUESTS_AT_A_TIME):
        batch = [mutate() for _ in range(min(REQUESTS_AT_A_TIME, count - start))]
        outcomes.update(await asyncio.gather(*(_raw_request(live, data) for data in batch)))


async def _raw_request(live: Live, data: bytes) -> str:
    """The status that bytes are answered with, if any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
    try:
        writer.write(data)
        line = await asyncio.wait_for(reader.readline(), RAW_TIMEOUT_S)
        return line[9:12].decode(errors="replace") or "closed"
    except TimeoutError:
        return "waits for more"
    except ConnectionError:
        return "reset"
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def attack_with_rtcp(live: Live, random: Random, count: int, outcomes: Outcomes) -> None:
    """From a viewer that is let in and then sends damaged packets, properly encrypted."""
    rest = count
    while rest > 0:
        async with hostile_viewer(live) as (peer, ssrc):
            mutate = Mutator(random, seeds.rtcp_packets(ssrc), b"\x00\x00")
            transport = peer.getTransceivers()[0].receiver.transport
            for _ in range(min(rest, 2000)):
                rest -= 1
                packet = mutate()
                # What is neither RTP nor RTCP would not be sent at all, and a datagram has room for so much only.
                head = bytes([0x80 | packet[0] & 0x3F, 200 + packet[1] % 8]) if len(packet) > 1 else b"\x80\xc8"
                try:
                    await transport._send_rtp(head + packet[2:1200].ljust(10, b"\x00"))
                    outcomes["sent"] += 1
                except (ConnectionError, ValueError) as error:
                    outcomes[type(error).__name__] += 1
                if rest % 20 == 0:
                    await asyncio.sleep(0.02)  # a thousand a second, which is more than any viewer sends
                if peer.connectionState != "connected":
                    break


@asynccontextmanager
async def hostile_viewer(live: Live) -> AsyncIterator[tuple[RTCPeerConnection, int]]:
    """A connected viewer, and the SSRC of what it watches."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected = asyncio.Event()

    @peer.on("connectionstatechange")
    def note() -> None:
        if peer.connectionState == "connected":
            connected.set()

    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Content-Type": "application/sdp"}
    async with aiohttp.ClientSession(live.url) as client:
        async with client.post("/whep", data=peer.localDescription.sdp, headers=headers) as response:
            assert response.status == 201
            path, answer = response.headers["Location"], await response.text()
        try:
            await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await asyncio.wait_for(connected.wait(), 10)
            yield peer, int(answer.partition("a=ssrc:")[2].split()[0])
        finally:
            async with client.delete(path):
                pass
            await peer.close()


ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        "offers": attack_with_offers,
        "answers": attack_with_answers,
        "fragments": attack_with_fragments,
        "requests": attack_with_requests,
        "rtcp": attack_with_rtcp,
    }
)

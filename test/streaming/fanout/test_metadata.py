"""What travels beside the pictures: small JSON messages, about exactly the picture they name."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.rendition import Codec, RenditionKey
from picam_webrtc.streaming.fanout.metadata import MOST_BUFFERED, MetadataChannel
from picam_webrtc_test.streaming.fakes import FRAME_NS, RealViewer, Source, coded, running, until, viewer

H264_HALF = RenditionKey(Codec.H264, 1)
CAT = Detection(17, "cat", 0.85432, BoundingBox(10.04, 20, 30, 40))
FOUND = Detections(1_000_000_007_000, "camera", 320, 240, (CAT,), inference_ns=12_345_678)


class FakeChannel:
    def __init__(self) -> None:
        self.bufferedAmount = 0
        self.readyState = "open"
        self.sent: list[dict[str, Any]] = []

    def send(self, data: str) -> None:
        self.sent.append(json.loads(data))


def test_a_ping_is_answered_with_the_times_of_this_machine() -> None:
    channel, times = FakeChannel(), iter([5_000_000, 5_007_000])
    MetadataChannel(channel, now_ns=lambda: next(times)).receive('{"type": "ping", "t0": 12.5}')

    assert channel.sent == [{"type": "pong", "t0": 12.5, "received_us": 5000, "sent_us": 5007}]


@pytest.mark.parametrize(
    "message",
    [
        *(b"\x00", "", "[", "[]", "{}", "[" * 200, '{"type": "ping"}'),
        *('{"type": "ping", "t0": "x"}', '{"type": "ping", "t0": true}', '{"type": "ping", "t0": ' + "1" * 300 + "}"),
    ],
)
def test_what_is_no_ping_is_ignored(message: object) -> None:
    channel = FakeChannel()
    MetadataChannel(channel).receive(message)

    assert channel.sent == []


def test_detections_keep_their_pictures_time_and_size() -> None:
    channel = FakeChannel()
    MetadataChannel(channel).send_detections(FOUND)

    box = {"id": 17, "label": "cat", "score": 0.854, "box": [10.0, 20, 30, 40]}
    size = {"width": 320, "height": 240}
    times = {"stamp_us": 1_000_000_007, "inference_us": 12_345}
    assert channel.sent == [{"type": "detections", **times, **size, "drawn": False, "items": [box]}]


@pytest.mark.parametrize(("state", "buffered"), [("open", MOST_BUFFERED), ("closing", 0), ("connecting", 0)])
def test_nothing_is_sent_to_a_viewer_that_cannot_take_it(state: str, buffered: int) -> None:
    channel = FakeChannel()
    channel.readyState, channel.bufferedAmount = state, buffered
    MetadataChannel(channel).send_frame_metadata(coded(1), 90)

    assert channel.sent == []


async def heard_by(watching: RealViewer) -> list[dict[str, Any]]:
    """Everything that comes on the viewer's own channel."""
    heard: list[dict[str, Any]] = []
    channel = watching.connection.createDataChannel("metadata", ordered=False, maxRetransmits=0)
    channel.on("message", lambda text: heard.append(json.loads(text)))
    return heard


def test_a_picture_is_described_where_its_stamp_does_not_follow_from_the_one_before() -> None:
    channel = FakeChannel()
    metadata, start = MetadataChannel(channel), 2**32 - 6000
    for number in range(33):
        metadata.send_frame_metadata(coded(number), (start + 3000 * number) % 2**32)
    leap = replace(coded(33), stamp_ns=10**12)
    metadata.send_frame_metadata(leap, start + 3000 * 33 - 2**32)
    metadata.send_frame_metadata(replace(leap, key=H264_HALF), start + 3000 * 33 - 2**32)

    told = [(message["stamp_us"], message["rendition"]) for message in channel.sent]
    twice_a_second = [(number * FRAME_NS // 1000, "h264/full") for number in (0, 16, 32)]
    assert told == [*twice_a_second, (10**9, "h264/full"), (10**9, "h264/half")]


def test_what_a_viewer_could_not_take_is_told_later() -> None:
    channel = FakeChannel()
    metadata = MetadataChannel(channel)
    channel.readyState = "connecting"
    metadata.send_frame_metadata(coded(0), 0)
    channel.readyState = "open"
    metadata.send_frame_metadata(coded(1), 3000)

    assert [message["rtp"] for message in channel.sent] == [3000]


async def test_every_pictures_stamp_follows_from_what_its_viewer_is_told() -> None:
    before_us = time.time_ns() // 1000
    async with running(Source(), WebRtcSettings()) as (sessions, _), viewer() as watching:
        heard = await heard_by(watching)
        await watching.watch(sessions)
        await watching.see(40)

    assert 2 <= len(heard) <= 5
    for message in heard:
        assert message["type"] == "frame"
        assert before_us < message["stamp_us"] <= message["received_us"] <= message["encoded_us"]
        assert message["rendition"] == "h264/full"
        ticks = message["rtp"] - heard[0]["rtp"]
        assert message["stamp_us"] - heard[0]["stamp_us"] == pytest.approx(ticks * 100 / 9, abs=25)


async def test_detections_reach_every_viewer_who_asked_and_no_other() -> None:
    async with running(Source(), WebRtcSettings()) as (sessions, stream), viewer() as one, viewer() as other:
        heard = await heard_by(one)
        await one.watch(sessions)
        await other.watch(sessions)
        await asyncio.gather(one.see(3), other.see(3))
        await asyncio.to_thread(stream.push_detections, FOUND)

        await until(lambda: any(message["type"] == "detections" for message in heard))


def test_a_picture_of_the_test_pattern_is_told_apart_at_once() -> None:
    channel = FakeChannel()
    told, frame = MetadataChannel(channel), coded(1, keyframe=True)
    told.send_frame_metadata(frame, 5000)
    told.send_frame_metadata(replace(coded(2), frame_id="test_pattern"), 8000)
    told.send_frame_metadata(replace(coded(3), frame_id="camera_optical_frame"), 11000)

    assert [message.get("test_pattern", False) for message in channel.sent] == [False, True, False]

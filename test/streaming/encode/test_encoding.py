"""Real encoders: key frames when asked, changes while running, hardware where it works."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import av
import numpy as np
import pytest

from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode import encoders as encoder_module
from picam_webrtc.streaming.encode import i420, nal
from picam_webrtc.streaming.encode.clock import MediaClock
from picam_webrtc.streaming.encode.encode_thread import EncodeThread
from picam_webrtc.streaming.encode.encoders import (
    EncodedPicture,
    EncoderConfig,
    EncoderError,
    EncoderFactory,
    X264Encoder,
)
from picam_webrtc.streaming.encode.encoding_on_demand import EncodingOnDemand
from picam_webrtc.streaming.encode.handoff import HANDOFF_LIMIT, Handoff
from picam_webrtc.streaming.encode.rendition import Codec, EncodedFrame, RenditionKey
from picam_webrtc.streaming.encode.rendition_encoder import RenditionEncoder, Source
from picam_webrtc_test.streaming.fakes import H264_FULL, FakeTime, coded, moving_picture, picture_frame, until

SETTINGS = WebRtcSettings()
CODECS = [Codec.H264, Codec.VP8]


class Studio:
    """A rendition that is fed pictures a thirtieth of a second apart."""

    def __init__(self, key: RenditionKey = H264_FULL, settings: WebRtcSettings = SETTINGS) -> None:
        self.time = FakeTime()
        self.rendition = RenditionEncoder(key, settings, EncoderFactory(), self.time)
        self.frames: list[EncodedFrame] = []
        self._count = 0

    def shoot(self, count: int = 1, width: int = 320, height: int = 240, noise: bool = False) -> None:
        random = np.random.default_rng(7)
        for _ in range(count):
            frame = picture_frame(self._count, width, height)
            if noise:
                frame = Frame(random.integers(100, 150, (height, width, 3), np.uint8), "bgr8", frame.stamp_ns, "")
            full = i420.empty(width, height)
            i420.convert(frame, full)
            self.frames += self.rendition.encode(full, 3000 * self._count, Source(frame, frame.stamp_ns))
            self._count += 1
            self.time.pass_s(1 / 30)

    def keyframes(self) -> list[int]:
        return [frame.timestamp // 3000 for frame in self.frames if frame.keyframe]


def decoded(frames: list[EncodedFrame]) -> list[Pixels]:
    decoder = av.CodecContext.create("h264" if frames[0].key.codec is Codec.H264 else "vp8", "r")
    packets = [*(av.Packet(frame.data) for frame in frames), None]
    return [
        picture.to_ndarray(format="bgr24")
        for packet in packets
        for picture in decoder.decode(packet)
        if isinstance(picture, av.VideoFrame)
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_the_picture_survives(codec: Codec) -> None:
    studio = Studio(RenditionKey(codec, 0))
    studio.shoot(10)
    pictures = decoded(studio.frames)

    assert len(pictures) == 10
    assert np.abs(pictures[9].astype(int) - moving_picture(count=9).astype(int)).mean() < 12


@pytest.mark.parametrize("codec", CODECS)
def test_key_frames_come_first_and_when_asked_and_stand_alone(codec: Codec) -> None:
    studio = Studio(RenditionKey(codec, 0))
    studio.shoot(10)
    studio.rendition.gate.request()
    studio.shoot(10)

    assert studio.keyframes() == [0, 10]
    assert len(decoded(studio.frames[10:])) == 10


def test_every_h264_key_frame_carries_its_parameter_sets() -> None:
    studio = Studio()
    studio.shoot(7)
    studio.rendition.gate.request()
    studio.shoot(1)

    assert all(nal.parameter_sets(frame.data) for frame in studio.frames if frame.keyframe)


def test_coded_frames_know_their_birth() -> None:
    studio = Studio()
    studio.shoot(3)

    assert [frame.timestamp for frame in studio.frames] == [0, 3000, 6000]
    assert [frame.stamp_ns for frame in studio.frames] == [picture_frame(count).stamp_ns for count in range(3)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_new_picture_size_begins_with_a_key_frame(codec: Codec) -> None:
    studio = Studio(RenditionKey(codec, 0))
    studio.shoot(3)
    studio.shoot(3, width=160, height=120)

    assert studio.keyframes() == [0, 3]
    assert [(frame.width, frame.height) for frame in studio.frames[2:4]] == [(320, 240), (160, 120)]


def test_smaller_renditions_are_smaller_pictures() -> None:
    sizes = []
    for rung in range(3):
        studio = Studio(RenditionKey(Codec.H264, rung))
        studio.shoot(1, width=1280, height=720)
        sizes.append((studio.frames[0].width, studio.frames[0].height))

    assert sizes == [(1280, 720), (960, 540), (640, 360)]


@pytest.mark.parametrize(("codec", "keyframes"), [(Codec.H264, [0]), (Codec.VP8, [0, 60])])
def test_a_lower_bitrate_is_reached_without_a_break(codec: Codec, keyframes: list[int]) -> None:
    studio = Studio(RenditionKey(codec, 0))
    studio.shoot(60, noise=True)
    studio.rendition.bitrate = 500_000
    studio.shoot(120, noise=True)

    def bitrate(frames: list[EncodedFrame]) -> float:
        return sum(8 * len(frame.data) for frame in frames) * 30 / len(frames)

    assert studio.keyframes() == keyframes
    assert bitrate(studio.frames[30:60]) == pytest.approx(2_000_000, rel=0.2)
    assert bitrate(studio.frames[150:]) == pytest.approx(500_000, rel=0.35)


def test_a_higher_bitrate_or_another_frame_rate_opens_the_encoder_anew_at_a_key_frame() -> None:
    studio = Studio()
    studio.shoot(2)
    studio.rendition.apply(WebRtcSettings(bitrate=4_000_000))
    studio.shoot(2)
    studio.rendition.apply(WebRtcSettings(bitrate=4_000_000, encode_frame_rate=15.0))
    studio.shoot(2)

    assert studio.keyframes() == [0, 2, 4]
    assert studio.rendition.counts.reopened == 2


class BrokenHardware(X264Encoder):
    """Opens, and fails on its third picture."""

    name = "h264_v4l2m2m"
    pictures = 0

    def encode(self, i420: Pixels, timestamp: int, keyframe: bool) -> list[EncodedPicture]:
        self.pictures += 1
        if self.pictures == 3:
            raise EncoderError("the device went away")
        return super().encode(i420, timestamp, keyframe)

    def _new_context(self, config: EncoderConfig) -> "av.video.codeccontext.VideoCodecContext":
        self.name, name = "libx264", self.name
        try:
            return super()._new_context(config)
        finally:
            self.name = name


def test_hardware_that_does_not_open_is_replaced_and_mentioned_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    factory = EncoderFactory()
    for _ in range(3):
        opened = factory.open(EncoderConfig(Codec.H264, 320, 240, 500_000, 500_000, 30, hardware=True))
        assert opened.name == "libx264"

    assert len([line for line in caplog.messages if "libx264" in line]) == 1


def test_hardware_is_used_where_it_works_and_left_when_it_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(encoder_module, "V4l2H264Encoder", BrokenHardware)
    studio = Studio()
    studio.shoot(2)
    assert studio.rendition.counts.encoder == "h264_v4l2m2m"
    with pytest.raises(EncoderError):
        studio.shoot(1)
    studio.shoot(2)

    assert studio.rendition.counts.encoder == "libx264"
    assert studio.keyframes() == [0, 2]
    assert "H.264 is encoded by libx264 (the device went away)" in caplog.messages


class Collector:
    """Takes coded frames on the encode thread."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []
        self._arrived = threading.Condition()

    def deliver(self, frame: EncodedFrame) -> bool:
        with self._arrived:
            self.frames.append(frame)
            self._arrived.notify_all()
        return True

    def wait_for(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.frames) >= count, 10)


@contextmanager
def encode_thread(collector: Collector, *keys: RenditionKey) -> Iterator[EncodeThread]:
    thread = EncodeThread(SETTINGS, MediaClock(), collector.deliver, EncoderFactory())
    thread.set_renditions(keys)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
        thread.join()


def test_the_thread_encodes_every_rendition_that_is_set_and_no_other() -> None:
    collector = Collector()
    half = RenditionKey(Codec.VP8, 1)
    with encode_thread(collector, H264_FULL, half) as thread:
        thread.put(picture_frame(0))
        collector.wait_for(2)
        thread.set_renditions([half])
        thread.put(picture_frame(1))
        collector.wait_for(3)

    assert [frame.key for frame in collector.frames] == [H264_FULL, half, half]
    assert not thread.alive


def test_frames_wait_for_the_thread_where_every_one_counts() -> None:
    collector = Collector()
    thread = EncodeThread(SETTINGS, MediaClock(), collector.deliver, EncoderFactory())
    thread.set_renditions([H264_FULL])
    for number in range(9):  # while the thread has not begun
        thread.put(picture_frame(number), most_waiting=8)
    thread.start()
    collector.wait_for(8)
    thread.stop()
    thread.join()

    assert [frame.stamp_ns for frame in collector.frames] == [picture_frame(number).stamp_ns for number in range(1, 9)]
    assert thread.overtaken == 1


def test_a_picture_that_cannot_be_used_is_reported_once_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    with encode_thread(collector, H264_FULL) as thread:
        for count in range(3):
            thread.put(Frame(np.zeros((4, 4), np.uint16), "mono16", count, ""))
        thread.put(picture_frame(1))
        collector.wait_for(1)

    assert len([line for line in caplog.messages if "mono16" in line]) <= 1
    assert collector.frames[0].keyframe


async def test_a_picture_that_cannot_be_used_is_counted_and_its_fault_known_until_the_next_good_one() -> None:
    collector = Collector()
    with encode_thread(collector, H264_FULL) as thread:
        (rendition,) = thread.renditions()
        thread.put(Frame(np.zeros((4, 4), np.uint16), "mono16", 0, ""))
        await until(lambda: rendition.counts.failures == 1)
        assert "mono16" in rendition.counts.error
        thread.put(picture_frame(1))
        await until(lambda: not rendition.counts.error)

    assert rendition.counts.failures == 1


async def test_the_thread_lives_while_something_is_wanted() -> None:
    arrived: list[EncodedFrame] = []
    encoding = EncodingOnDemand(SETTINGS, arrived.append)
    encoding.put(picture_frame(0))
    assert not [thread for thread in threading.enumerate() if thread.name == "encode"]

    def has_arrived(count: int) -> bool:
        return len(arrived) == count

    for count in (1, 2):
        encoding.set_renditions([H264_FULL])
        encoding.put(picture_frame(count))
        await until(partial(has_arrived, count))
        encoding.set_renditions([])
        await encoding.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "encode"]
    assert [frame.keyframe for frame in arrived] == [True, True]
    assert arrived[0].timestamp < arrived[1].timestamp


class SlowLoop:
    """An event loop that does not come round to its callbacks until it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[object, tuple[object, ...]]] = []

    def call_soon_threadsafe(self, function: object, *args: object) -> None:
        self.waiting.append((function, args))

    def run(self) -> None:
        while self.waiting:
            function, args = self.waiting.pop(0)
            function(*args)  # type: ignore[operator]


def test_a_loop_that_is_behind_loses_frames_up_to_the_next_key_frame_and_memory_is_bounded() -> None:
    arrived: list[EncodedFrame] = []
    loop = SlowLoop()
    handoff = Handoff(loop, arrived.append)  # type: ignore[arg-type]
    taken = [handoff.put(coded(number, keyframe=number == 0)) for number in range(40)]
    assert taken.count(True) == HANDOFF_LIMIT == len(loop.waiting)
    loop.run()
    taken = [handoff.put(coded(number, keyframe=number == 42)) for number in range(40, 45)]
    loop.run()

    assert taken == [False, False, True, True, True]
    assert [frame.timestamp // 3000 for frame in arrived] == [*range(HANDOFF_LIMIT), 42, 43, 44]
    assert handoff.dropped == 26

"""Stand-ins for the neighbours of the streaming engine, and a real viewer to look at it from outside."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import VideoFrame

from picam_webrtc.detection import Detections
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.rendition import FULL, LADDER, Codec, EncodedFrame, RenditionKey
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.rtp.outlet import OutletCounts
from picam_webrtc.streaming.rtp.payloads import PacketizedFrame, cut
from picam_webrtc.streaming.session.session import Session
from picam_webrtc.streaming.session.sessions import Sessions

PATIENCE_S = 20.0
FRAME_NS = 1_000_000_000 // 30
H264_FULL = RenditionKey(Codec.H264, FULL)


def moving_picture(width: int = 320, height: int = 240, count: int = 0) -> Pixels:
    """Blocks of colour that move with `count`."""
    rows, columns = np.mgrid[0:height, 0:width] // 16
    blue = (rows * 40 + columns * 25 + count * 8) % 256
    return np.stack([blue, (blue * 3) % 256, 255 - blue], axis=-1).astype(np.uint8)


def picture_frame(count: int = 0, width: int = 320, height: int = 240) -> Frame:
    return Frame(moving_picture(width, height, count), "bgr8", 10**18 + count * FRAME_NS, "camera")


def coded(number: int, *, keyframe: bool = False, key: RenditionKey = H264_FULL, size: int = 3000) -> PacketizedFrame:
    """Frame `number` of a rendition whose frames all have three packets."""
    data = b"\x00\x00\x00\x01" + bytes([0x65 if keyframe else 0x41]) + bytes([number % 255 + 1]) * size
    payloads = cut(Codec.H264, data)
    return PacketizedFrame(
        key=key,
        data=data,
        keyframe=keyframe,
        timestamp=3000 * number,
        stamp_ns=number * FRAME_NS,
        received_ns=number * FRAME_NS,
        encoded_ns=number * FRAME_NS,
        width=320,
        height=240,
        frame_id="optical",
        payloads=payloads,
        payload_bytes=sum(map(len, payloads)),
        first_packet=number * len(payloads),
    )


async def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition, with the loop running."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        await asyncio.sleep(0.005)


class FakeTime:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakeOutlet:
    """Keeps what is sent; takes nothing while `full`. Sequence numbers are packet indices."""

    full: bool = False
    frames: list[PacketizedFrame] = field(default_factory=list)
    resent: list[int] = field(default_factory=list)
    detections: list[Detections] = field(default_factory=list)
    described: list[EncodedFrame] = field(default_factory=list)
    counts: OutletCounts = field(default_factory=OutletCounts)
    path: str = "fake"
    most_waiting: int = 1

    def send(self, frame: PacketizedFrame) -> bool:
        if not self.full:
            self.frames.append(frame)
            self.counts.bytes += frame.payload_bytes
        return not self.full

    def send_frame_metadata(self, frame: EncodedFrame) -> None:
        self.described.append(frame)

    def send_detections(self, detections: Detections) -> None:
        self.detections.append(detections)

    def packet_index(self, sequence: int) -> int | None:
        return sequence

    def resend(self, frame: PacketizedFrame, number: int) -> None:
        self.resent.append(frame.first_packet + number)


class FakeControl:
    """The encoding side as the fan-out sees it."""

    def __init__(self) -> None:
        self.most_waiting = 1
        self.renditions: tuple[RenditionKey, ...] = ()
        self.changes: list[tuple[RenditionKey, ...]] = []
        self.asked: list[RenditionKey] = []
        self.bitrates: dict[RenditionKey, int] = {}

    def set_renditions(self, keys: Iterable[RenditionKey]) -> None:
        self.renditions = tuple(keys)
        self.changes.append(self.renditions)

    def request_keyframe(self, key: RenditionKey) -> None:
        self.asked.append(key)

    def nominal_bitrate(self, key: RenditionKey) -> int:
        return round(2_000_000 * LADDER[key.rung].bitrate_share)

    def set_bitrate(self, key: RenditionKey, bitrate: int) -> None:
        self.bitrates[key] = bitrate


class Source:
    """Pushes a moving picture into a stream thirty times a second while it is wanted."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        self.size = width, height
        self.demands: list[bool] = []
        self.live = True
        self._pictures = self._drawn()

    def _drawn(self) -> list[Pixels]:
        return [moving_picture(*self.size, count) for count in range(30)]

    def resize(self, width: int, height: int) -> None:
        """All pictures from now on have that size."""
        self.size = width, height
        self._pictures = self._drawn()

    def make_stream(self, settings: WebRtcSettings, name: str = "processed", transform: str = "tflite") -> Stream:
        return Stream(
            name,
            settings,
            on_demand=self.demands.append,
            is_live=lambda: self.live,
            transform=lambda: transform,
        )

    async def run(self, stream: Stream) -> None:
        for count in self._forever():
            stream.push(Frame(self._pictures[count % 30], "bgr8", time.time_ns(), "camera"))
            await asyncio.sleep(1 / 30)

    def _forever(self) -> Iterator[int]:
        count = 0
        while True:
            yield count
            count += 1


@asynccontextmanager
async def running(
    source: Source,
    settings: WebRtcSettings,
    on_viewers: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[tuple[Sessions, Stream]]:
    """Sessions with one stream that is fed by `source`."""
    stream = source.make_stream(settings)
    async with Sessions([stream], settings, on_viewers) as sessions:
        feeding = asyncio.create_task(source.run(stream))
        try:
            yield sessions, stream
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


class RealViewer:
    """An aiortc client that decodes what it receives."""

    def __init__(self, codec: str | None = None) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames: list[VideoFrame] = []
        self.count = 0
        self._codec = codec
        self._reading: asyncio.Task[None] | None = None
        self.connection.on("track", self._read)

    async def watch(self, sessions: Sessions, stream_name: str = "processed") -> Session:
        """By WHEP: the viewer offers."""
        transceiver = self.connection.addTransceiver("video", direction="recvonly")
        if self._codec is not None:
            codecs = RTCRtpSender.getCapabilities("video").codecs
            wanted = f"video/{self._codec}".lower()
            transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() == wanted])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        session = await sessions.answer(stream_name, self.connection.localDescription.sdp)
        await self.answered(session.sdp)
        return session

    async def answered(self, answer_sdp: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer_sdp, "answer"))

    async def watch_by_server_offer(self, sessions: Sessions, stream_name: str = "processed") -> Session:
        session = await sessions.offer(stream_name)
        await self.connection.setRemoteDescription(RTCSessionDescription(session.sdp, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        await sessions.accept(session.id, self.connection.localDescription.sdp)
        return session

    async def see(self, count: int) -> None:
        """Wait for that many more frames."""
        goal = self.count + count
        await until(lambda: self.count >= goal)

    async def close(self) -> None:
        await self.connection.close()
        if self._reading is not None:
            # A connection that never came about does not end its track.
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _read(self, track: MediaStreamTrack) -> None:
        self._reading = asyncio.ensure_future(self._read_all(track))

    async def _read_all(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            if isinstance(frame, VideoFrame):
                self.count += 1
                self.frames = [*self.frames[-30:], frame]


@asynccontextmanager
async def viewer(codec: str | None = None) -> AsyncIterator[RealViewer]:
    watching = RealViewer(codec)
    try:
        yield watching
    finally:
        await watching.close()

"""A stream: frames in from any thread, coded frames out to its viewers, and nothing at all without viewers."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from picam_webrtc.detection import Detections
from picam_webrtc.frame import Frame
from picam_webrtc.latest import AsyncInOrder
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.encode.clock import NANOSECONDS
from picam_webrtc.streaming.encode.encoding_on_demand import EncodingOnDemand
from picam_webrtc.streaming.encode.jpeg import JpegFeed, JpegPicture
from picam_webrtc.streaming.encode.rendition import LADDER, Codec, EncodedFrame
from picam_webrtc.streaming.encode.rendition_encoder import RenditionEncoder
from picam_webrtc.streaming.fanout.broadcast import Broadcast
from picam_webrtc.streaming.fanout.snapshot import NewestFrame, RenditionSnapshot, StreamSnapshot, ViewerSnapshot
from picam_webrtc.streaming.fanout.viewer import Viewer
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc.streaming.rtp.payloads import Packetizer

logger = logging.getLogger(__name__)

LOGGED_TRANSFORM = {"tflite": "tfLite"}
MOST_DETECTIONS = 16
"""On their way to the loop; those that come while it is further behind are worth nothing."""


class Stream:
    """Created anywhere; used by `Sessions` on the loop, but for `push`, which any thread may call.

    `on_demand(True)` is called on the loop when the first viewer needs frames, `on_demand(False)` when the last
    has gone. `is_live` says whether there is anybody who could send frames, `transform` what became of them before they
    came, as inference_node's parameter of that name does.
    """

    def __init__(
        self,
        name: str,
        settings: WebRtcSettings,
        *,
        on_demand: Callable[[bool], None],
        is_live: Callable[[], bool],
        transform: Callable[[], str] = lambda: "none",
    ) -> None:
        self.name = name
        self.is_live = is_live
        self._transform = transform
        self._on_demand = on_demand
        self._subscribers = 0
        self._track_announced = False
        self._encoding = EncodingOnDemand(settings, self._deliver)
        self._broadcast = Broadcast(self._encoding, adaptive=settings.adaptive)
        self._packetizer = Packetizer()
        self._jpeg = JpegFeed(settings.mjpeg_frame_rate, settings.mjpeg_quality)
        self._detections: AsyncInOrder[Detections] | None = None
        self._inference_ns = 0
        self._newest: EncodedFrame | None = None

    def push(self, frame: Frame, detections: Detections | None = None) -> None:
        """Offer a frame; from any thread, never blocks. Without viewers it is let go of at once."""
        if detections is not None:
            self.push_detections(detections)
        self._encoding.put(frame)
        self._jpeg.put(frame)

    def push_detections(self, detections: Detections) -> None:
        """Tell the viewers what was found in a frame, before or after that is pushed; from any thread, never blocks.

        Viewers draw it on the frame of the same stamp.
        """
        self._inference_ns = detections.inference_ns
        feed = self._detections
        if feed is not None:
            feed.put(detections)

    @property
    def renditions(self) -> tuple[RenditionEncoder, ...]:
        """What is being encoded just now."""
        return self._encoding.renditions()

    def subscribe(self) -> None:
        """One more session needs the stream's shared track; to be paired with `unsubscribe`."""
        if not self._track_announced:
            transform = self._transform()
            logger.info("PiCameraTrack initialized with transform: %s", LOGGED_TRANSFORM.get(transform, transform))
            self._track_announced = True
        logger.info("Subscribing a new track to the relay")
        self._need(+1)
        logger.info("Subscription successful")

    def unsubscribe(self) -> None:
        self._need(-1)

    async def pictures(self) -> AsyncGenerator[JpegPicture]:
        """The stream as plain pictures; to be closed (`contextlib.aclosing`) when done."""
        self._need(+1)
        try:
            async with aclosing(self._jpeg.follow()) as pictures:
                async for picture in pictures:
                    yield picture
        finally:
            self._need(-1)

    def join(self, codec: Codec, outlet: Outlet) -> Viewer:
        """A subscriber has connected: send it frames from a key frame on."""
        if self._detections is None:
            loop = asyncio.get_running_loop()
            self._detections = AsyncInOrder(loop, self._broadcast.send_detections, MOST_DETECTIONS)
        return self._broadcast.join(codec, outlet)

    def leave(self, viewer: Viewer) -> None:
        self._broadcast.leave(viewer)
        if not self._broadcast.viewers:
            self._detections = None

    def apply(self, settings: WebRtcSettings) -> None:
        """Take over changed parameters while running."""
        self._encoding.apply(settings)
        self._jpeg.frame_rate, self._jpeg.quality = settings.mjpeg_frame_rate, settings.mjpeg_quality
        self._broadcast.adaptive = settings.adaptive

    def adapt(self) -> None:
        """Fit renditions to the viewers' links; to be called about twice a second."""
        self._broadcast.adapt()

    def snapshot(self, viewers: tuple[ViewerSnapshot, ...]) -> StreamSnapshot:
        """What goes on, with the snapshots of its viewers, which their sessions know best."""
        counts = self._encoding.counts
        return StreamSnapshot(
            name=self.name,
            live=self.is_live(),
            frames_in=counts.frames_in,
            frames_overtaken=counts.frames_overtaken,
            frames_lost_to_loop=counts.frames_lost_to_loop,
            newest=self._newest_snapshot(),
            renditions=tuple(self._rendition_snapshot(rendition) for rendition in self.renditions),
            viewers=viewers,
            inference_s=self._inference_ns / NANOSECONDS if self._inference_ns else None,
        )

    async def close(self) -> None:
        """End the encode thread and wait for it."""
        await self._encoding.close()

    def _newest_snapshot(self) -> NewestFrame | None:
        newest = self._newest
        if newest is None:
            return None
        return NewestFrame(newest.timestamp, newest.stamp_ns, newest.received_ns, newest.encoded_ns)

    def _rendition_snapshot(self, rendition: RenditionEncoder) -> RenditionSnapshot:
        counts, gate = rendition.counts, rendition.gate
        return RenditionSnapshot(
            codec=rendition.key.codec,
            rung=LADDER[rendition.key.rung].name,
            encoder=counts.encoder,
            width=counts.width,
            height=counts.height,
            bitrate=rendition.bitrate,
            viewers=sum(viewer.rendition == rendition.key for viewer in self._broadcast.viewers),
            frames=counts.frames,
            bytes=counts.bytes,
            encode_s=counts.encode_ns / NANOSECONDS,
            keyframes_asked=gate.asked,
            keyframes_given=gate.given,
            reopened=counts.reopened,
            failures=counts.failures,
            error=counts.error,
        )

    def _need(self, change: int) -> None:
        before, self._subscribers = self._subscribers, self._subscribers + change
        if bool(before) != bool(self._subscribers):
            self._on_demand(bool(self._subscribers))

    def _deliver(self, frame: EncodedFrame) -> None:
        self._newest = frame
        # Data channels are flushed by tasks. One turn of the loop lets what belongs to a frame go out before it.
        self._broadcast.send_frame_metadata(frame)
        asyncio.get_running_loop().call_soon(self._send, frame)

    def _send(self, frame: EncodedFrame) -> None:
        self._broadcast.deliver(self._packetizer.packetize(frame))

"""A stream as plain JPEG pictures, encoded once for all who take them, for where WebRTC does not get through."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import cv2

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError, PicamWebrtcError
from picam_webrtc.frame import Frame
from picam_webrtc.latest import AsyncLatest
from picam_webrtc.streaming.encode import i420

logger = logging.getLogger(__name__)


class JpegError(PicamWebrtcError):
    """A picture that cannot be encoded."""


@dataclass(frozen=True, slots=True)
class JpegPicture:
    data: bytes
    stamp_ns: int


def encode_jpeg(frame: Frame, quality: int) -> JpegPicture:
    """Raises ImageError or JpegError."""
    full = i420.empty(*i420.even_size(frame.width, frame.height))
    i420.convert(frame, full)
    encoded, data = cv2.imencode(
        ".jpg", cv2.cvtColor(full, cv2.COLOR_YUV2BGR_I420), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not encoded:
        raise JpegError(f"a picture of {frame.width}x{frame.height} pixels cannot be encoded as JPEG")
    return JpegPicture(data.tobytes(), frame.stamp_ns)


class JpegFeed:
    """Encodes while anybody follows, newest frame first. Every method but `put` runs on the loop."""

    def __init__(self, frame_rate: float, quality: int) -> None:
        self.frame_rate = frame_rate
        self.quality = quality
        self._slot: AsyncLatest[Frame] | None = None
        self._task: asyncio.Task[None] | None = None
        self._followers = 0
        self._picture: JpegPicture | None = None
        self._renewed = asyncio.Condition()
        self._complain = Complaint(lambda text: logger.error("A frame cannot be shown as a plain picture: %s", text))

    def put(self, frame: Frame) -> None:
        """From any thread, never blocks; with nobody following, the frame is let go of at once."""
        slot = self._slot
        if slot is not None:
            slot.put(frame)

    async def follow(self) -> AsyncGenerator[JpegPicture]:
        """Each new picture; a slow taker misses some. To be closed (`contextlib.aclosing`) when done."""
        self._followers += 1
        if self._task is None:
            self._slot = AsyncLatest[Frame](asyncio.get_running_loop())
            self._task = asyncio.create_task(self._encode(self._slot))
        seen: JpegPicture | None = None
        try:
            while True:
                seen = await self._next_after(seen)
                yield seen
        finally:
            self._followers -= 1
            if self._followers == 0:
                await self._stop()

    async def _next_after(self, seen: JpegPicture | None) -> JpegPicture:
        async with self._renewed:
            while (picture := self._picture) is None or picture is seen:
                await self._renewed.wait()
            return picture

    async def _stop(self) -> None:
        task, self._task, self._slot, self._picture = self._task, None, None, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _encode(self, slot: AsyncLatest[Frame]) -> None:
        now = asyncio.get_running_loop().time
        while True:
            frame = await slot.take()
            next_due = now() + 1 / self.frame_rate
            try:
                picture = await asyncio.to_thread(encode_jpeg, frame, self.quality)
            except (ImageError, JpegError, cv2.error) as error:
                self._complain(error)
                continue
            async with self._renewed:
                self._picture = picture
                self._renewed.notify_all()
            await asyncio.sleep(next_due - now())

"""Fan-out of one stream's coded frames to its viewers, on the asyncio loop."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from picam_webrtc.detection import Detections
from picam_webrtc.streaming.rendition import Codec, EncodedFrame, RenditionKey
from picam_webrtc.streaming.viewer import Outlet, Viewer

LONGEST_REPLAY_S = 0.3
"""How old a key frame may be for a new viewer to start from it instead of from a new one."""
LONGEST_REPLAY = 16
"""Frames that are kept for new viewers."""


class EncodingControl(Protocol):
    """What the fan-out asks of the encoding side."""

    def set_renditions(self, keys: Iterable[RenditionKey]) -> None: ...

    def request_keyframe(self, key: RenditionKey) -> None: ...


class RecentFrames:
    """The newest key frame of a rendition and what followed it, as long as that is worth replaying."""

    def __init__(self) -> None:
        self._frames: list[EncodedFrame] = []
        self._since_s = 0.0

    def add(self, frame: EncodedFrame, now_s: float) -> None:
        if frame.keyframe:
            self._frames = [frame]
            self._since_s = now_s
        elif self._frames and len(self._frames) < LONGEST_REPLAY:
            self._frames.append(frame)
        else:
            self._frames = []

    def replay(self, now_s: float) -> list[EncodedFrame]:
        """Everything since the key frame, or nothing where that is too long ago."""
        return list(self._frames) if now_s - self._since_s <= LONGEST_REPLAY_S else []


class Broadcast:
    """The viewers of one stream. Every method runs on the loop."""

    def __init__(self, control: EncodingControl, now_s: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._now_s = now_s
        self._viewers: dict[Viewer, None] = {}
        self._recent: dict[RenditionKey, RecentFrames] = {}

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        return tuple(self._viewers)

    def join(self, codec: Codec, outlet: Outlet) -> Viewer:
        """A new viewer, on full quality. Its first frame is a key frame: one just made, or one made for it."""
        viewer = Viewer(codec, outlet, self._control.request_keyframe, self._now_s)
        self._viewers[viewer] = None
        self.update_renditions()
        recent = self._recent[viewer.rendition].replay(self._now_s())
        if not recent:
            self._control.request_keyframe(viewer.rendition)
        for frame in recent:
            viewer.take(frame)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Idempotent."""
        if viewer in self._viewers:
            del self._viewers[viewer]
            self.update_renditions()

    def assign(self, viewer: Viewer, rung: int) -> None:
        """Move a viewer to another rung of the ladder at that rendition's next key frame."""
        viewer.wanted = RenditionKey(viewer.rendition.codec, rung)
        self.update_renditions()
        viewer.want(rung)

    def deliver(self, frame: EncodedFrame) -> None:
        """Hand a frame to everyone whom it concerns."""
        recent = self._recent.get(frame.key)
        if recent is None:
            return
        recent.add(frame, self._now_s())
        for viewer in self.viewers:
            viewer.take(frame)
        self.update_renditions()

    def tell(self, detections: Detections) -> None:
        """Hand what was found in a frame to every viewer."""
        for viewer in self.viewers:
            viewer.outlet.tell(detections)

    def update_renditions(self) -> None:
        """Have just those renditions encoded that a viewer gets or waits for."""
        needed = {key: None for viewer in self._viewers for key in (viewer.rendition, viewer.wanted)}
        if needed.keys() == self._recent.keys():
            return
        self._recent = {key: self._recent.get(key) or RecentFrames() for key in needed}
        self._control.set_renditions(needed)

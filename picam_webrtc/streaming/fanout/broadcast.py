"""Fan-out of one stream's coded frames to its viewers, on the asyncio loop."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from picam_webrtc.detection import Detections
from picam_webrtc.latest import NEWEST_ALONE
from picam_webrtc.streaming.encode.rendition import LOWEST, Codec, EncodedFrame, RenditionKey
from picam_webrtc.streaming.fanout.history import History
from picam_webrtc.streaming.fanout.viewer import Viewer
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc.streaming.rtp.payloads import PacketizedFrame


class EncodingControl(Protocol):
    """What the fan-out asks of the encoding side."""

    most_waiting: int
    """Frames that may wait to be encoded."""

    def set_renditions(self, keys: Iterable[RenditionKey]) -> None: ...

    def request_keyframe(self, key: RenditionKey) -> None: ...

    def nominal_bitrate(self, key: RenditionKey) -> int:
        """A rendition's share of the stream's bitrate [bit/s]."""

    def set_bitrate(self, key: RenditionKey, bitrate: int) -> None: ...


class Broadcast:
    """The viewers of one stream. Every method runs on the loop."""

    def __init__(
        self, control: EncodingControl, now_s: Callable[[], float] = time.monotonic, adaptive: bool = True
    ) -> None:
        self.adaptive = adaptive
        self._control = control
        self._now_s = now_s
        self._viewers: dict[Viewer, None] = {}
        self._histories: dict[RenditionKey, History] = {}

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        return tuple(self._viewers)

    def join(self, codec: Codec, outlet: Outlet) -> Viewer:
        """A new viewer, on the rung `full`. Its first frame is a key frame: one just made, or one made for it."""
        viewer = Viewer(codec, outlet, self._control.request_keyframe, self._now_s)
        self._viewers[viewer] = None
        self._update_renditions()
        history = self._histories[viewer.rendition]
        recent = history.replay(self._now_s())
        if not recent:
            self._control.request_keyframe(viewer.rendition)
        for frame in recent:
            viewer.take(frame, history)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Idempotent."""
        if viewer in self._viewers:
            del self._viewers[viewer]
            self._update_renditions()

    def deliver(self, frame: PacketizedFrame) -> None:
        """Hand a frame to everyone whom it concerns."""
        history = self._histories.get(frame.key)
        if history is None:
            return
        history.add(frame, self._now_s())
        for viewer in self.viewers:
            viewer.take(frame, history)
        if frame.keyframe:
            self._update_renditions()

    def send_frame_metadata(self, frame: EncodedFrame) -> None:
        """Tell everyone who may get the frame about it, ahead of `deliver`."""
        for viewer in self.viewers:
            if frame.key in (viewer.rendition, viewer.wanted):
                viewer.outlet.send_frame_metadata(frame)

    def send_detections(self, detections: Detections) -> None:
        """Hand what was found in a frame to every viewer."""
        for viewer in self.viewers:
            viewer.outlet.send_detections(detections)

    def adapt(self) -> None:
        """Give every viewer the rendition that its link takes; to be called about twice a second."""
        for viewer in self.viewers:
            rung = viewer.decide(self._control.nominal_bitrate(viewer.rendition))
            if self.adaptive and rung != viewer.wanted.rung:
                self.assign(viewer, rung)
        for key in self._histories:
            if self.adaptive and key.rung == LOWEST:
                self._fit_bitrate(key)

    def assign(self, viewer: Viewer, rung: int) -> None:
        """Move a viewer to another rung of the ladder."""
        viewer.change_to(rung)
        self._update_renditions()
        if viewer.wanted != viewer.rendition:
            self._control.request_keyframe(viewer.wanted)

    def _fit_bitrate(self, key: RenditionKey) -> None:
        """The smallest rendition alone follows its slowest viewer, for nobody has a smaller one to change to."""
        nominal = self._control.nominal_bitrate(key)
        fitting = (viewer.fitting_bitrate(nominal) for viewer in self._viewers if viewer.rendition == key)
        self._control.set_bitrate(key, min(fitting, default=nominal))

    def _update_renditions(self) -> None:
        """Have just those renditions encoded that a viewer gets or waits for."""
        self._control.most_waiting = max((viewer.outlet.most_waiting for viewer in self._viewers), default=NEWEST_ALONE)
        needed = {key: None for viewer in self._viewers for key in (viewer.rendition, viewer.wanted)}
        if needed.keys() == self._histories.keys():
            return
        self._histories = {key: self._histories.get(key) or History() for key in needed}
        self._control.set_renditions(needed)

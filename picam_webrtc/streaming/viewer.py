"""One viewer of a stream: which rendition it gets, and from which key frame on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from picam_webrtc.detection import Detections
from picam_webrtc.streaming.rendition import FULL, Codec, EncodedFrame, RenditionKey

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 8.0
"""A viewer whose connection was full asks for its next key frame after this long, and each time twice as late."""
KEYFRAME_ALLOWANCE = 4
KEYFRAME_ALLOWANCE_REFILL_S = 1.0
"""Key frames are paid for by everyone's picture, so one viewer gets four at once and then one a second."""


class Outlet(Protocol):
    """The way of coded frames to one viewer."""

    def send(self, frame: EncodedFrame) -> bool:
        """Send the frame, or return False when there is no room: the next that is sent is then a key frame."""

    def tell(self, detections: Detections) -> None:
        """Send what was found in a frame, to a viewer that wants to know; never blocks."""


@dataclass(slots=True)
class ViewerCounts:
    frames_sent: int = 0
    frames_skipped: int = 0
    keyframes_sent: int = 0
    keyframes_asked: int = 0
    times_full: int = 0
    switches: int = 0


class KeyframeAllowance:
    """A token bucket for the key frames that one viewer may cause."""

    def __init__(self, now_s: float) -> None:
        self._tokens = float(KEYFRAME_ALLOWANCE)
        self._updated_s = now_s

    def spend(self, now_s: float) -> bool:
        gained = (now_s - self._updated_s) / KEYFRAME_ALLOWANCE_REFILL_S
        self._tokens = min(KEYFRAME_ALLOWANCE, self._tokens + gained)
        self._updated_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Viewer:
    """Receives the frames of `rendition`; changes to `wanted` at that rendition's next key frame."""

    def __init__(
        self,
        codec: Codec,
        outlet: Outlet,
        ask_keyframe: Callable[[RenditionKey], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rendition = self.wanted = RenditionKey(codec, FULL)
        self.outlet = outlet
        self.counts = ViewerCounts()
        self.joined_s = now_s()
        self._ask_keyframe = ask_keyframe
        self._now_s = now_s
        self._allowance = KeyframeAllowance(self.joined_s)
        self._awaits_keyframe = True
        self._retry_after_s = FIRST_RETRY_S
        self._retry_at_s: float | None = None

    def take(self, frame: EncodedFrame) -> None:
        """Pass on a frame of any rendition, if it is one for this viewer."""
        if frame.keyframe and frame.key == self.wanted != self.rendition:
            self.rendition = self.wanted
            self.counts.switches += 1
        if frame.key != self.rendition:
            return
        if self._awaits_keyframe and not frame.keyframe:
            self.counts.frames_skipped += 1
            self._retry_when_due()
            return
        if self.outlet.send(frame):
            self._sent(frame)
        else:
            self._full()

    def keyframe_requested(self) -> None:
        """The viewer lost the picture (PLI, FIR). Requests beyond its allowance are counted and ignored."""
        self.counts.keyframes_asked += 1
        if self._allowance.spend(self._now_s()):
            self._ask_keyframe(self.rendition)

    def want(self, rung: int) -> None:
        """Change to another rung of the ladder at its next key frame."""
        self.wanted = RenditionKey(self.rendition.codec, rung)
        if self.wanted != self.rendition:
            self._ask_keyframe(self.wanted)

    def _sent(self, frame: EncodedFrame) -> None:
        self.counts.frames_sent += 1
        self.counts.keyframes_sent += frame.keyframe
        self._awaits_keyframe = False
        if self._retry_at_s is not None and frame.keyframe:
            self._retry_at_s = None
        elif self._retry_at_s is None:
            self._retry_after_s = FIRST_RETRY_S

    def _full(self) -> None:
        self.counts.times_full += 1
        self.counts.frames_skipped += 1
        self._awaits_keyframe = True
        self._retry_at_s = self._now_s() + self._retry_after_s
        self._retry_after_s = min(2 * self._retry_after_s, LONGEST_RETRY_S)

    def _retry_when_due(self) -> None:
        if self._retry_at_s is not None and self._now_s() >= self._retry_at_s:
            self._retry_at_s = self._now_s() + self._retry_after_s
            self._ask_keyframe(self.rendition)

"""What of a rendition is kept for a moment, to be sent again or to begin with."""

from collections import deque

from picam_webrtc.streaming.rtp.payloads import PacketizedFrame

LONGEST_REPLAY_S = 0.3
"""How old a key frame may be for a new viewer to start from it instead of from a new one."""
HISTORY_FRAMES = 64
"""Frames that are kept to be sent again: two seconds, longer than any viewer waits for a lost packet."""


class History:
    """The newest key frame of a rendition and what followed it: for lost packets, and for viewers that join now."""

    def __init__(self) -> None:
        self._frames: deque[PacketizedFrame] = deque(maxlen=HISTORY_FRAMES)
        self._since_s = 0.0

    def add(self, frame: PacketizedFrame, now_s: float) -> None:
        if frame.keyframe:
            self._frames.clear()
            self._since_s = now_s
        self._frames.append(frame)

    def replay(self, now_s: float) -> list[PacketizedFrame]:
        """Everything since the key frame, or nothing where that is too long ago."""
        fresh = self._frames and self._frames[0].keyframe and now_s - self._since_s <= LONGEST_REPLAY_S
        return list(self._frames) if fresh else []

    def packet(self, index: int) -> tuple[PacketizedFrame, int] | None:
        """The frame that packet `index` of the rendition is of, and its number in there."""
        for frame in reversed(self._frames):
            if index >= frame.first_packet:
                number = index - frame.first_packet
                return (frame, number) if number < len(frame.payloads) else None
        return None

"""What travels beside the pictures on a viewer's data channel `metadata`: JSON both ways.

To the viewer, about a picture: {"type": "frame", "rtp": its RTP timestamp, "stamp_us": time of capture, "received_us":
arrival here, "encoded_us": end of encoding, "rendition": "h264/full"}; with "test_pattern": true where it shows no
camera's picture but the pattern that stands in for it. RTP timestamps run as stamps do, 90 for a
millisecond, so one such message tells the stamps of those that follow as well; another is sent where that ends to be
so, where the rendition changes, and twice a second.

To the viewer, whenever something was looked for in a picture: {"type": "detections", "stamp_us": that picture's time of
capture, "width", "height", "inference_us", "drawn", "items": [{"id", "label", "score", "box": [x0, y0, x1, y1]}, ...]},
boxes in pixels of a picture of that size, which shows them already where `drawn` is true. Times are microseconds since
1970 by this machine's clock: integers that JavaScript holds exactly.

From the viewer: {"type": "ping", "t0": any number}, answered by {"type": "pong", "t0", "received_us", "sent_us"},
from which it estimates the difference between our clock and its own.
"""

import json
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from picam_webrtc.detection import Detections
from picam_webrtc.frame import TEST_PATTERN_FRAME_ID
from picam_webrtc.streaming.encode.clock import NANOSECONDS
from picam_webrtc.streaming.encode.rendition import VIDEO_CLOCK_HZ, EncodedFrame
from picam_webrtc.streaming.rtp.header import RTP_TIMESTAMP_MASK

LABEL = "metadata"
MOST_BUFFERED = 64 * 1024
"""Bytes that may wait for a slow link; what belongs to pictures long gone is left out instead."""
REMINDER_NS = NANOSECONDS // 2
ROUNDING_NS = 2 * NANOSECONDS // VIDEO_CLOCK_HZ
"""Two timestamps are each less than a tick off their stamps."""
TEST_PATTERN_MARK: tuple[dict[str, object], dict[str, object]] = ({}, {"test_pattern": True})
LONGEST_MESSAGE = 256
"""Characters of a viewer's message that are looked at: a ping has 40."""


class TextChannel(Protocol):
    """The part of an RTCDataChannel that is used here."""

    @property
    def bufferedAmount(self) -> int: ...  # noqa: N802 -- W3C's name

    @property
    def readyState(self) -> str: ...  # noqa: N802 -- W3C's name

    def send(self, data: str) -> None: ...


class MetadataChannel:
    """One viewer's channel. Everything runs on the loop, nothing waits, nothing is sent after it has closed."""

    def __init__(self, channel: TextChannel, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._channel = channel
        self._now_ns = now_ns
        self._last_sent: tuple[EncodedFrame, int] | None = None

    def send_frame_metadata(self, frame: EncodedFrame, rtp_timestamp: int) -> None:
        """Tell about a picture whose packets carry that RTP timestamp, unless the viewer knows it already."""
        if not self._knows(frame, rtp_timestamp) and self._send(
            TEST_PATTERN_MARK[frame.frame_id == TEST_PATTERN_FRAME_ID]
            | {
                "type": "frame",
                "rtp": rtp_timestamp,
                "stamp_us": frame.stamp_ns // 1000,
                "received_us": frame.received_ns // 1000,
                "encoded_us": frame.encoded_ns // 1000,
                "rendition": str(frame.key),
            }
        ):
            self._last_sent = frame, rtp_timestamp

    def send_detections(self, detections: Detections) -> None:
        self._send_text(detections_text(detections))

    def receive(self, message: object) -> None:
        """Answer a ping; anything else is ignored, since a viewer has nothing else to say."""
        received_us = self._now_ns() // 1000
        sent_at = _ping_time(message)
        if sent_at is None:
            return
        self._send({"type": "pong", "t0": sent_at, "received_us": received_us, "sent_us": self._now_ns() // 1000})

    def _knows(self, frame: EncodedFrame, rtp_timestamp: int) -> bool:
        if self._last_sent is None:
            return False
        last, last_timestamp = self._last_sent
        elapsed_ns = frame.stamp_ns - last.stamp_ns
        elapsed_ticks = (rtp_timestamp - last_timestamp) & RTP_TIMESTAMP_MASK
        is_in_step = abs(elapsed_ticks * NANOSECONDS // VIDEO_CLOCK_HZ - elapsed_ns) < ROUNDING_NS
        is_alike = frame.key == last.key and frame.frame_id == last.frame_id
        return is_in_step and elapsed_ns < REMINDER_NS and is_alike

    def _send(self, message: dict[str, object]) -> bool:
        return self._send_text(json.dumps(message))

    def _send_text(self, text: str) -> bool:
        if self._channel.readyState != "open" or self._channel.bufferedAmount >= MOST_BUFFERED:
            return False
        self._channel.send(text)
        return True


@lru_cache(maxsize=8)
def detections_text(detections: Detections) -> str:
    """The message about `detections`; made once for all viewers."""
    items = [
        {
            "id": item.class_id,
            "label": item.label,
            "score": round(item.score, 3),
            "box": [round(value, 1) for value in (item.bbox.x0, item.bbox.y0, item.bbox.x1, item.bbox.y1)],
        }
        for item in detections.items
    ]
    message = {
        "type": "detections",
        "stamp_us": detections.stamp_ns // 1000,
        "width": detections.width,
        "height": detections.height,
        "inference_us": detections.inference_ns // 1000,
        "drawn": detections.drawn,
        "items": items,
    }
    return json.dumps(message)


def _ping_time(message: object) -> float | None:
    """The viewer's own time in a ping; None for whatever is none."""
    if not isinstance(message, str) or len(message) > LONGEST_MESSAGE:
        return None
    try:
        ping = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(ping, dict) or ping.get("type") != "ping":
        return None
    sent_at = ping.get("t0")
    return sent_at if isinstance(sent_at, int | float) and not isinstance(sent_at, bool) else None

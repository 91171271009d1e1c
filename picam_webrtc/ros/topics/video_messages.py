"""A coded picture as a message: of sensor_msgs, or of packages with better types where they are installed."""

import importlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sensor_msgs.msg import CompressedImage

from picam_webrtc.errors import SettingError
from picam_webrtc.ros.topics.messages import header, time_message
from picam_webrtc.streaming.encode.rendition import EncodedFrame

FORMAT = "h264"
FFMPEG_ENCODING = "h264;yuv420p;bgr8;bgr8"
"""Codec, FFmpeg's pixel format, encoding to decode to, encoding of the source: so ffmpeg_image_transport reads it."""
AV_PKT_FLAG_KEY = 1


@dataclass(frozen=True, slots=True)
class VideoMessages:
    """A message type, and how one is made of a coded picture, its ROS stamp and its frame_id."""

    message_type: type[Any]
    suffix: str
    make: Callable[[EncodedFrame, int, str], Any]


def video_messages(kind: str) -> VideoMessages:
    """For the value `kind` of the parameter `encoded_topics`. Raises SettingError where its package is missing."""
    if kind == "compressed_image":
        return VideoMessages(CompressedImage, "h264", compressed_image)
    package, name, suffix, make = OPTIONAL[kind]
    try:
        message_type = getattr(importlib.import_module(f"{package}.msg"), name)
    except ImportError as error:
        reason = f"package {package} is not installed; install it, or take compressed_image"
        raise SettingError("encoded_topics", kind, reason) from error
    return VideoMessages(message_type, suffix, lambda *arguments: make(message_type, *arguments))


def compressed_image(frame: EncodedFrame, stamp_ns: int, frame_id: str) -> CompressedImage:
    return CompressedImage(header=header(stamp_ns, frame_id), format=FORMAT, data=array("B", frame.data))


def compressed_video(message_type: type[Any], frame: EncodedFrame, stamp_ns: int, frame_id: str) -> Any:
    """foxglove_msgs/CompressedVideo: one picture a message, Annex B, parameter sets with every key frame."""
    return message_type(timestamp=time_message(stamp_ns), frame_id=frame_id, format=FORMAT, data=array("B", frame.data))


def ffmpeg_packet(message_type: type[Any], frame: EncodedFrame, stamp_ns: int, frame_id: str) -> Any:
    """ffmpeg_image_transport_msgs/FFMPEGPacket."""
    return message_type(
        header=header(stamp_ns, frame_id),
        width=frame.width,
        height=frame.height,
        encoding=FFMPEG_ENCODING,
        pts=frame.timestamp,
        flags=AV_PKT_FLAG_KEY if frame.keyframe else 0,
        is_bigendian=False,
        data=array("B", frame.data),
    )


OPTIONAL: Mapping[str, tuple[str, str, str, Callable[..., Any]]] = MappingProxyType(
    {
        "compressed_video": ("foxglove_msgs", "CompressedVideo", "h264", compressed_video),
        "ffmpeg_packet": ("ffmpeg_image_transport_msgs", "FFMPEGPacket", "ffmpeg", ffmpeg_packet),
    }
)
"""Value of `encoded_topics` → package, message, last part of the topic's name, and what makes the message."""

"""Pictures out of compressed messages: JPEG and PNG by OpenCV, H.264 and its kin by FFmpeg."""

from typing import cast

import av
import cv2
import numpy as np

from picam_webrtc.errors import ImageError
from picam_webrtc.frame import Pixels

VIDEO_FORMATS = {"h264": "h264", "h265": "hevc", "hevc": "hevc", "vp8": "vp8", "vp9": "vp9", "av1": "av1"}
"""Format or encoding named in a message → FFmpeg's decoder."""


class Decompressor:
    """Decodes the messages of one topic in their order; keeps what a video decoder has to remember.

    Video needs every message, from a key frame on; still pictures stand for themselves.
    """

    def __init__(self) -> None:
        self._format = ""
        self._video: av.VideoCodecContext | None = None

    def decode(self, data: bytes | memoryview, message_format: str) -> Pixels | None:
        """(height, width, 3) BGR or (height, width) grey, or None where a video decoder has no picture yet.

        Raises ImageError.
        """
        decoder = video_decoder(message_format)
        return self._decode_video(data, decoder) if decoder else decode_picture(data, message_format)

    def _decode_video(self, data: bytes | memoryview, decoder: str) -> Pixels | None:
        if self._video is None or decoder != self._format:
            self._video = cast(av.VideoCodecContext, av.CodecContext.create(decoder, "r"))
            # Zero delay: a picture comes out with the packet that completes it.
            self._video.options = {"flags": "low_delay"}
            self._video.thread_count = 1
            self._format = decoder
        try:
            frames = self._video.decode(av.Packet(bytes(data)))
        except av.FFmpegError as error:
            self._video = None  # what comes next can only be decoded from a key frame on
            raise ImageError(f"a {decoder} picture cannot be decoded: {error}") from error
        return frames[-1].to_ndarray(format="bgr24") if frames else None


def video_decoder(message_format: str) -> str | None:
    """FFmpeg's decoder for what CompressedImage.format and its like call by that name; None for still pictures."""
    return VIDEO_FORMATS.get(message_format.strip().lower().partition(";")[0])


def decode_picture(data: bytes | memoryview, message_format: str) -> Pixels:
    """A JPEG, PNG or other still picture. Raises ImageError."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if len(data) else None
    if pixels is None:
        raise ImageError(f"{len(data)} bytes of format {message_format!r} are no picture that OpenCV can decode")
    if pixels.dtype != np.uint8:  # a 16-bit PNG of a depth camera: the upper byte is what can be shown
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels[:, :, :3])
    return np.asarray(pixels)

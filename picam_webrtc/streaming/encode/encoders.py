"""The video encoders: one I420 picture in, one coded picture out (the only user of PyAV's encoders)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.frame import Pixels
from picam_webrtc.streaming.encode import nal
from picam_webrtc.streaming.encode.rendition import VIDEO_CLOCK_HZ, Codec

logger = logging.getLogger(__name__)

RATE_BUFFER_S = 0.15
"""How far a key frame may exceed the bitrate: more delays whoever has a narrow link, less blurs key frames."""
NO_PERIODIC_KEYFRAMES = 1 << 20
"""GOP size [frames]: the key frame gate alone decides, in seconds."""
MATRIX_SMPTE170M, LIMITED_RANGE = 6, 1
PRIMARIES_BT709, TRANSFER_BT709 = 1, 1
"""FFmpeg's numbers for AVColorSpace, AVColorRange and so on, but for the range H.264's own (ITU-T H.273, 8)."""
TIME_BASE = Fraction(1, VIDEO_CLOCK_HZ)


class EncoderError(PicamWebrtcError):
    """An encoder does not open, or fails on a picture."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What is encoded, and how.

    `bitrate` [bit/s] may change in place up to `ceiling` where the encoder can; `frame_rate` is what rate control
    reckons with; `hardware` permits a hardware encoder.
    """

    codec: Codec
    width: int
    height: int
    bitrate: int
    ceiling: int
    frame_rate: float
    hardware: bool = False


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    data: bytes
    keyframe: bool
    timestamp: int


class VideoEncoder(Protocol):
    """Used by one thread only."""

    @property
    def name(self) -> str: ...

    @property
    def config(self) -> EncoderConfig: ...

    def encode(self, i420: Pixels, timestamp: int, keyframe: bool) -> list[EncodedPicture]:
        """Pictures that are ready, in order; a hardware encoder may be one behind. Raises EncoderError."""

    def set_bitrate(self, bitrate: int, /) -> bool:
        """Change the bitrate, and `config`, in place; False where the encoder has to be opened anew."""

    def close(self) -> None: ...


Opener = Callable[[EncoderConfig], VideoEncoder]


class EncoderFactory:
    """Opens the best encoder for a configuration; remembers which hardware does not work, and says so once."""

    def __init__(self) -> None:
        self._hardware_broken = False

    def open(self, config: EncoderConfig) -> VideoEncoder:
        """Raises EncoderError."""
        if config.codec is Codec.VP8:
            return Vp8Encoder(config)
        if config.hardware and not self._hardware_broken:
            try:
                encoder = V4l2H264Encoder(config)
            except EncoderError as error:
                self.distrust_hardware(str(error))
            else:
                logger.info("H.264 is encoded by %s", encoder.name)
                return encoder
        return X264Encoder(config)

    def distrust_hardware(self, reason: str) -> None:
        """Use software from now on."""
        if not self._hardware_broken:
            logger.info("H.264 is encoded by %s (%s)", X264Encoder.name, reason)
        self._hardware_broken = True


class _PyAvEncoder:
    """What the encoders share: an open codec context and the way of a picture through it."""

    name = ""

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        try:
            self._context = self._new_context(config)
            self._context.open(strict=False)
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(
                f"{self.name} does not open for {config.width}x{config.height} pixels at {config.bitrate} bit/s"
            ) from error

    def _new_context(self, config: EncoderConfig) -> VideoCodecContext:
        context = av.CodecContext.create(self.name, "w")
        if not isinstance(context, VideoCodecContext):
            raise EncoderError(f"{self.name} is no video encoder")
        context.width, context.height = config.width, config.height
        context.pix_fmt = "yuv420p"
        # What i420.convert makes, said in H.264's VUI; VP8 knows no other colours. Players guess otherwise, by size.
        context.colorspace, context.color_range = MATRIX_SMPTE170M, LIMITED_RANGE
        context.color_primaries, context.color_trc = PRIMARIES_BT709, TRANSFER_BT709
        context.bit_rate = config.bitrate
        context.framerate = Fraction(config.frame_rate).limit_denominator(1001)
        context.time_base = TIME_BASE
        context.gop_size = NO_PERIODIC_KEYFRAMES
        context.max_b_frames = 0
        context.thread_count = 1
        context.options = self._options(config)
        return context

    def _options(self, config: EncoderConfig, /) -> dict[str, str]:
        raise NotImplementedError

    def encode(self, i420: Pixels, timestamp: int, keyframe: bool) -> list[EncodedPicture]:
        # The frame only views the pixels: these encoders copy what they are given before they return.
        frame = av.VideoFrame.from_numpy_buffer(i420, format="yuv420p")
        frame.pts, frame.time_base = timestamp, TIME_BASE
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            return [self._picture(packet) for packet in self._context.encode(frame)]
        except av.FFmpegError as error:
            raise EncoderError(f"{self.name} failed on a picture: {error}") from error

    def _picture(self, packet: "av.Packet[Any]") -> EncodedPicture:
        return EncodedPicture(bytes(packet), packet.is_keyframe, packet.pts or 0)

    def set_bitrate(self, _bitrate: int, /) -> bool:
        return False

    def close(self) -> None:
        # FFmpeg frees an encoder with the last reference to its context.
        del self._context


class X264Encoder(_PyAvEncoder):
    """libx264, constrained baseline, for the lowest delay and a steady rate."""

    name = "libx264"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.set_bitrate(config.bitrate)

    def _new_context(self, config: EncoderConfig) -> VideoCodecContext:
        context = super()._new_context(config)
        context.profile = "Baseline"
        context.bit_rate = config.ceiling
        return context

    def _options(self, config: EncoderConfig, /) -> dict[str, str]:
        return {
            "preset": "superfast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "sc_threshold": "0",
            # x264 takes a later change of the bitrate only if it was opened as CBR.
            "maxrate": str(config.ceiling),
            "bufsize": str(round(config.ceiling * RATE_BUFFER_S)),
        }

    def set_bitrate(self, bitrate: int, /) -> bool:
        """In place up to the ceiling, which is that of x264's rate buffer."""
        if bitrate > self.config.ceiling:
            return False
        self._context.bit_rate = bitrate
        self.config = replace(self.config, bitrate=bitrate)
        return True


class V4l2H264Encoder(_PyAvEncoder):
    """A Video4Linux memory-to-memory encoder, such as that of the Raspberry Pi up to the 4."""

    name = "h264_v4l2m2m"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self._parameter_sets = nal.parameter_sets(self._context.extradata or b"")

    def _options(self, _config: EncoderConfig, /) -> dict[str, str]:
        return {}

    def _picture(self, packet: "av.Packet[Any]") -> EncodedPicture:
        """Every key frame starts with its parameter sets, which drivers send once only."""
        picture = super()._picture(packet)
        if not picture.keyframe:
            return picture
        own = nal.parameter_sets(picture.data)
        if own:
            self._parameter_sets = own
            return picture
        return EncodedPicture(self._parameter_sets + picture.data, True, picture.timestamp)


class Vp8Encoder(_PyAvEncoder):
    """libvpx, real time, constant rate."""

    name = "libvpx"

    def _options(self, config: EncoderConfig, /) -> dict[str, str]:
        return {
            "deadline": "realtime",
            "cpu-used": "-10",
            "lag-in-frames": "0",
            # Equal smallest and largest rates select constant rate.
            "minrate": str(config.bitrate),
            "maxrate": str(config.bitrate),
            "bufsize": str(config.bitrate),
            "qmin": "2",
            "qmax": "56",
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
        }

"""Picamera2's pixel formats and what they are in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from picam_webrtc.errors import CameraError, ImageError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Pixels, view_rows

ASKED_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "bgr": "RGB888",
        "rgb": "BGR888",
        "bgra": "XRGB8888",
        "rgba": "XBGR8888",
        "yuv420": "YUV420",
        "nv12": "NV12",
    }
)
"""From the parameter `format` to libcamera's names, which count components from the highest bit down:
`RGB888` is B, G, R in memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`encoding` is the ROS name; `planar` the order of separate chroma planes, which ROS has no name for."""

    encoding: str
    planar: str = ""


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "RGB888": Layout("bgr8"),
        "BGR888": Layout("rgb8"),
        "XRGB8888": Layout("bgra8"),
        "XBGR8888": Layout("rgba8"),
        "R8": Layout("mono8"),
        "YUYV": Layout("yuv422_yuy2"),
        "UYVY": Layout("yuv422"),
        "NV12": Layout("nv12"),
        "NV21": Layout("nv21"),
        "YUV420": Layout("nv12", planar="uv"),
        "YVU420": Layout("nv12", planar="vu"),
    }
)


@dataclass(frozen=True, slots=True)
class StreamLayout:
    """One stream as the camera really delivers it: sizes in pixels, `stride` in bytes."""

    format: str
    width: int
    height: int
    stride: int

    @property
    def encoding(self) -> str:
        """As in sensor_msgs/image_encodings. Raises CameraError for a format that has none."""
        return self._layout.encoding

    @property
    def _layout(self) -> Layout:
        try:
            return LAYOUTS[self.format]
        except KeyError:
            known = ", ".join(LAYOUTS)
            raise CameraError(
                f"the camera delivers {self.format}, which has no ROS encoding here; these have: {known}"
            ) from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the picture as a `Frame` has it, without row padding."""
        if self.encoding in SEMI_PLANAR:
            return self.height * 3 // 2, self.width
        channels = PACKED_CHANNELS[self.encoding]
        return (self.height, self.width, channels) if channels > 1 else (self.height, self.width)

    def copy(self, buffer: Pixels, pixels: Pixels) -> None:
        """Copy the picture in `buffer`, one-dimensional, to `pixels` of `shape`; planar chroma is interleaved.

        Raises CameraError when the buffer is too small.
        """
        try:
            if self._layout.planar:
                self._interleave(buffer, pixels)
            else:
                pixels[:] = view_rows(buffer, self.width, self.height, self.stride, self.encoding)
        except ImageError as error:
            raise CameraError(f"the camera's {self.format} buffer does not hold its picture: {error}") from error

    def _interleave(self, buffer: Pixels, pixels: Pixels) -> None:
        """Y, U, V planes as nv12, (height * 3 / 2, width). Chroma rows have half the stride of luma rows."""
        width, height, stride = self.width, self.height, self.stride
        luma_size, chroma_size = stride * height, stride * height // 4
        planes = dict(zip(self._layout.planar, (luma_size, luma_size + chroma_size), strict=True))
        pixels[:height] = view_rows(buffer, width, height, stride, "mono8")
        for column, plane in enumerate("uv"):
            chroma = buffer[planes[plane] :]
            pixels[height:, column::2] = view_rows(chroma, width // 2, height // 2, stride // 2, "mono8")


def layout_of(stream: Mapping[str, Any]) -> StreamLayout:
    """From a stream of `Picamera2.camera_configuration()`: what was really configured, not what was asked."""
    width, height = stream["size"]
    return StreamLayout(stream["format"], width, height, stream["stride"])

"""ROS messages from and to the package's own values."""

from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from picam_webrtc.camera.calibration import Calibration
from picam_webrtc.camera.jpeg import compressed_format
from picam_webrtc.color import as_smpte170m
from picam_webrtc.frame import SUPPORTED_ENCODINGS, Frame, Pixels, view_rows
from picam_webrtc.ros.topics.encodings import converted

NANOSECONDS = 1_000_000_000


def time_message(stamp_ns: int) -> Time:
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return Time(sec=seconds, nanosec=nanoseconds)


def stamp_of(time: Time) -> int:
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def image_message(frame: Frame) -> Image:
    """`frame` as an Image, for publishing at once: where it can, it shares the frame's memory.

    An Image does not tell its colour space: its readers take it for SMPTE170M, and so it is made that.
    """
    pixels = np.ascontiguousarray(as_smpte170m(frame).pixels)
    data = _array_behind(pixels)
    if data is None:
        # Anything but an array.array of bytes makes rclpy check (or even convert) every single byte.
        data = array("B")
        data.frombytes(pixels.data.cast("B"))
    message = Image(
        header=header(frame.stamp_ns, frame.frame_id),
        height=frame.height,
        width=frame.width,
        encoding=frame.encoding,
        is_bigendian=0,
        step=pixels.strides[0],
        check_fields=True,  # only then the setter takes an array as it is; otherwise it copies it
    )
    message.data = data  # the constructor copies it in either case
    return message


def _array_behind(pixels: Pixels) -> "array[int] | None":
    """The array.array that `pixels` shows from its first byte to its last, as the camera's buffers are."""
    owner: Any = pixels
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    whole = isinstance(owner, array) and owner.typecode == "B" and len(owner) == pixels.nbytes
    return owner if whole else None


def frame_from_message(message: Image) -> Frame:
    """The frame in `message`: a view of its data where the encoding allows, else converted to bgr8.

    Raises ImageError when the encoding is unknown or the data does not fit the size.
    """
    stamp_ns, frame_id = stamp_of(message.header.stamp), message.header.frame_id
    if message.encoding in SUPPORTED_ENCODINGS:
        data = np.frombuffer(message.data, np.uint8)
        pixels = view_rows(data, message.width, message.height, message.step, message.encoding)
        return Frame(pixels, message.encoding, stamp_ns, frame_id)
    return Frame(converted(message), "bgr8", stamp_ns, frame_id)


def camera_info_message(frame: Frame, calibration: Calibration | None = None) -> CameraInfo:
    """`calibration` for that frame, whose size it must have. Without one K[0] = 0 says that nothing is known.

    K and P are for the picture's own pixels, so its region of interest is all of it and nothing is binned: whoever
    reads a crop and a binning there, image_geometry for one, applies them to K and P.
    """
    message = CameraInfo(
        header=header(frame.stamp_ns, frame.frame_id),
        width=frame.width,
        height=frame.height,
        binning_x=1,
        binning_y=1,
        roi=RegionOfInterest(width=frame.width, height=frame.height),
    )
    if calibration is not None:
        message.distortion_model, message.d = calibration.distortion_model, list(calibration.d)
        message.k, message.r, message.p = calibration.k, calibration.r, calibration.p
    return message


def calibration_from_message(message: CameraInfo) -> Calibration:
    return Calibration(
        width=message.width,
        height=message.height,
        distortion_model=message.distortion_model,
        d=tuple(map(float, message.d)),
        k=tuple(map(float, message.k)),
        r=tuple(map(float, message.r)),
        p=tuple(map(float, message.p)),
    )


def compressed_message(frame: Frame, jpeg: bytes) -> CompressedImage:
    """`jpeg` is the frame, compressed."""
    message = CompressedImage(header=header(frame.stamp_ns, frame.frame_id), format=compressed_format(frame.encoding))
    message.data = array("B", jpeg)
    return message

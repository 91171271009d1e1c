"""ROS messages from and to the package's own values."""

import struct
from array import array

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from picam_webrtc.camera.calibration import Calibration
from picam_webrtc.camera.jpeg import compressed_format
from picam_webrtc.color import as_smpte170m
from picam_webrtc.frame import SUPPORTED_ENCODINGS, Frame, view_rows
from picam_webrtc.ros.topics.encodings import converted

NANOSECONDS = 1_000_000_000
CDR_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
"""Begins a serialized message: plain CDR, no options (DDS-XTypes 1.3, 7.6.3.1)."""


def time_message(stamp_ns: int) -> Time:
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return Time(sec=seconds, nanosec=nanoseconds)


def stamp_of(time: Time) -> int:
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def serialized_image(frame: Frame) -> bytes:
    """`frame` as a serialized sensor_msgs/Image, its pixels copied once: out of rclpy's message they would be thrice.

    An Image does not tell its colour space: its readers take it for SMPTE170M, and so it is made that.
    """
    pixels = np.ascontiguousarray(as_smpte170m(frame).pixels)
    seconds, nanoseconds = divmod(frame.stamp_ns, NANOSECONDS)
    fields = bytearray(CDR_LITTLE_ENDIAN)
    fields += struct.pack("<iI", seconds, nanoseconds)
    _append_string(fields, frame.frame_id)
    _append_numbers(fields, frame.height, frame.width)
    _append_string(fields, frame.encoding)
    fields += bytes([False])  # is_bigendian
    _append_numbers(fields, pixels.strides[0], pixels.nbytes)
    return b"".join((fields, pixels.data.cast("B")))


def _append_string(fields: bytearray, text: str) -> None:
    data = text.encode() + b"\0"
    _append_numbers(fields, len(data))
    fields += data


def _append_numbers(fields: bytearray, *numbers: int) -> None:
    """uint32; the encapsulation is 4 bytes long, so what begins at a multiple of 4 behind it does so with it, too."""
    fields += bytes(-len(fields) % 4)
    fields += struct.pack(f"<{len(numbers)}I", *numbers)


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

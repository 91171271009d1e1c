"""Publishing without Python's lock, so that no other thread waits while the middleware sends.

rclpy's `Publisher.publish` keeps the lock (GIL) to the end: where a socket is full or a reliable subscriber is served
again, every thread of the process stands still as long. rcl's own function, called by ctypes, leaves the lock alone.
"""

import ctypes
from typing import Any

from rclpy.publisher import Publisher
from rclpy.serialization import serialize_message

RCL_RET_OK = 0
"""rcl/types.h"""
ERROR_STRING_BYTES = 1024
"""RCUTILS_ERROR_MESSAGE_MAX_LENGTH of rcutils/error_handling.h"""


class SerializedMessage(ctypes.Structure):
    """rcutils_uint8_array_t of rcutils/types/uint8_array.h; its allocator is not used in publishing."""

    _fields_ = (
        ("buffer", ctypes.c_char_p),
        ("buffer_length", ctypes.c_size_t),
        ("buffer_capacity", ctypes.c_size_t),
        ("allocator", ctypes.c_void_p * 5),
    )


class ErrorString(ctypes.Structure):
    """rcutils_error_string_t of rcutils/error_handling.h."""

    _fields_ = (("text", ctypes.c_char * ERROR_STRING_BYTES),)


RCL: ctypes.CDLL | None
"""rcl, which rclpy has loaded, and with it rcutils; None where it goes by another name: then rclpy publishes."""
try:
    RCL = ctypes.CDLL("librcl.so")
    RCL.rcl_publish_serialized_message.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(SerializedMessage),
        ctypes.c_void_p,
    )
    RCL.rcutils_get_error_string.restype = ErrorString
except (OSError, AttributeError):
    RCL = None


def publish_unlocked(publisher: "Publisher[Any]", message: Any) -> None:
    """Publish a message, or the bytes of a serialized one. Raises RuntimeError."""
    data = message if isinstance(message, bytes) else serialize_message(message)
    if RCL is None:
        publisher.publish(data)
        return
    serialized = SerializedMessage(data, len(data), len(data))
    with publisher.handle:  # it stays as long as it is used, whoever destroys it meanwhile
        if RCL.rcl_publish_serialized_message(publisher.handle.pointer, ctypes.byref(serialized), None) != RCL_RET_OK:
            reason = RCL.rcutils_get_error_string().text.decode(errors="replace")
            RCL.rcutils_reset_error()
            raise RuntimeError(f"{publisher.topic_name}: {reason}")

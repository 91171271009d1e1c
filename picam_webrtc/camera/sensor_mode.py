"""Sensor modes: which there are, which is asked for, and how much of the scene each one sees."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from picam_webrtc.errors import SettingError
from picam_webrtc.view import Rectangle, Size

FULL = "full"
"""The value of the parameter `sensor_mode` that takes the widest view."""


@dataclass(frozen=True, slots=True)
class SensorMode:
    """One way to read a sensor: output size [px], bits a sample, `crop` [sensor px] and highest frame rate."""

    size: Size
    bit_depth: int
    format: str
    frame_rate: float
    crop: Rectangle

    def __str__(self) -> str:
        return f"{self.size[0]}x{self.size[1]}:{self.bit_depth}"


def modes_of(sensor_modes: Iterable[Mapping[str, Any]]) -> tuple[SensorMode, ...]:
    """From `Picamera2.sensor_modes`; those of a USB camera have no size and are left out."""
    return tuple(
        SensorMode(
            size=(int(mode["size"][0]), int(mode["size"][1])),
            bit_depth=int(mode["bit_depth"]),
            format=str(mode["format"]),
            frame_rate=float(mode["fps"]),
            crop=rectangle(mode["crop_limits"]),
        )
        for mode in sensor_modes
        if "size" in mode and "crop_limits" in mode
    )


def rectangle(numbers: Sequence[Any]) -> Rectangle:
    x, y, width, height = map(int, numbers)
    return x, y, width, height


def choose_mode(wanted: str, modes: Sequence[SensorMode], size: Size, frame_rate: float) -> SensorMode:
    """The mode of the parameter `sensor_mode`: `full` or WxH[:bits].

    `full` is the widest view there is; of several modes with it the smallest that is no smaller than `size` and as
    fast as `frame_rate`, as far as there is one. Raises SettingError with the choice there is.
    """
    if wanted == FULL and modes:
        widest = max(area(mode.crop) for mode in modes)
        return min(
            (mode for mode in modes if area(mode.crop) == widest),
            key=lambda mode: (
                mode.size[0] < size[0] or mode.size[1] < size[1],
                mode.frame_rate < frame_rate,
                mode.size,
                -mode.bit_depth,
            ),
        )
    match = re.fullmatch(r"(\d+)x(\d+)(?::(\d+))?", wanted)
    found = [mode for mode in modes if match and mode.size == (int(match[1]), int(match[2]))]
    found = [mode for mode in found if match and match[3] in (None, str(mode.bit_depth))]
    if found:
        return max(found, key=lambda mode: mode.bit_depth)
    known = ", ".join(map(str, modes)) or "none"
    raise SettingError("sensor_mode", wanted, f"must be full or one of this camera's modes, which are: {known}")


def area(crop: Rectangle) -> int:
    return crop[2] * crop[3]


def view_text(crop: Rectangle, pixel_array: Size) -> str:
    """How much of what the whole sensor sees lies in `crop`, in per cent of width and height."""
    return f"{crop[2] / pixel_array[0]:.0%} of the width, {crop[3] / pixel_array[1]:.0%} of the height"


def parse_crop(wanted: str, whole: Rectangle, limits: Rectangle) -> Rectangle | None:
    """The parameter `crop`: "x,y,width,height" [sensor px] or a zoom factor about the centre of `whole`; None for "".

    Raises SettingError unless it lies within `limits`.
    """
    if not wanted:
        return None
    numbers = _numbers(wanted)
    if len(numbers) == 1 and numbers[0] >= 1:
        return zoomed(whole, numbers[0])
    if len(numbers) != 4 or any(number != int(number) for number in numbers):
        raise SettingError("crop", wanted, "must be x,y,width,height in sensor pixels, or a zoom of at least 1")
    x, y, width, height = map(int, numbers)
    left, top, most_width, most_height = limits
    inside = left <= x and top <= y and x + width <= left + most_width and y + height <= top + most_height
    if not inside or width < 1 or height < 1:
        there = f"{left},{top},{most_width},{most_height}"
        raise SettingError("crop", wanted, f"must lie within {there}, which is what this sensor mode sees")
    return x, y, width, height


def zoomed(whole: Rectangle, factor: float) -> Rectangle:
    x, y, width, height = whole
    new_width, new_height = max(1, round(width / factor)), max(1, round(height / factor))
    return x + (width - new_width) // 2, y + (height - new_height) // 2, new_width, new_height


def parse_window(wanted: str, crop: Rectangle) -> Rectangle | None:
    """The parameter `af_window`: "x,y,width,height" as shares of the picture, in sensor pixels; None for "".

    Raises SettingError.
    """
    if not wanted:
        return None
    numbers = _numbers(wanted)
    if len(numbers) != 4 or not _within_one(numbers):
        raise SettingError("af_window", wanted, "must be x,y,width,height, each a share of the picture from 0 to 1")
    x, y, width, height = numbers
    left, top, crop_width, crop_height = crop
    return (
        left + round(x * crop_width),
        top + round(y * crop_height),
        max(1, round(width * crop_width)),
        max(1, round(height * crop_height)),
    )


def _within_one(numbers: Sequence[float]) -> bool:
    x, y, width, height = numbers
    return x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 and y + height <= 1


def _numbers(text: str) -> list[float]:
    """Empty where it is no list of numbers."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    return numbers if all(abs(number) < 1e9 for number in numbers) else []

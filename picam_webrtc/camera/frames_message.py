"""How a capture process announces frames: what each frame has of its own, and the rest only when it is not as before.

At thirty times a second nothing of this is in the processor's cache: what is not done costs nothing. Whatever a `Frame`
or a `FrameSet` has beside pixels, stamp, metadata and the sensor's outputs is part of the rest, a new field too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from picam_webrtc.camera.clock import NS_PER_S
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.slots import SlotMapping
from picam_webrtc.camera.wire_data import FIELDS, check_types, pack, unpack
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame
from picam_webrtc.sensor_outputs import UNKNOWN_NETWORK, SensorOutputs, SensorTensor
from picam_webrtc.view import QUARTER_TURNS, View

REST_OF_FRAME = tuple(name for name in FIELDS["Frame"] if name not in ("pixels", "stamp_ns"))
REST_OF_SET = tuple(name for name in FIELDS["FrameSet"] if name not in ("frame", "lores", "metadata", "sensor_outputs"))
LAST_STAMP_NS = 2**31 * NS_PER_S
"""builtin_interfaces/Time counts seconds in an int32."""


@dataclass(frozen=True, slots=True)
class Announced:
    """Frames, and when the capture process said so, CLOCK_REALTIME [ns], which no container changes."""

    frame_set: FrameSet
    at_ns: int
    frame_rate: float


def frames_of(frame_set: FrameSet) -> list[Frame]:
    """In the order of the streams."""
    return [frame_set.frame] if frame_set.lores is None else [frame_set.frame, frame_set.lores]


class FramesWriter:
    """The capture process' end."""

    def __init__(self) -> None:
        self._told: Sequence[Any] = ()
        self._telling: Sequence[Any] = ()

    def content(self, frame_set: FrameSet, slots: Sequence[int | None], frame_rate: float) -> dict[str, Any]:
        """Of the message `frames`, in what JSON knows. `slots` are those of the streams' pictures."""
        self._telling = [
            [[getattr(frame, name) for name in REST_OF_FRAME] for frame in frames_of(frame_set)],
            [getattr(frame_set, name) for name in REST_OF_SET],
            frame_rate,
        ]
        content = {
            "at": time.time_ns(),
            "stamp": frame_set.frame.stamp_ns,
            "slots": slots,
            "metadata": pack(frame_set.metadata),
        }
        if frame_set.sensor_outputs is not None:  # whose network was told when the camera was opened
            content["outputs"] = pack(replace(frame_set.sensor_outputs, network=UNKNOWN_NETWORK))
        if self._telling != self._told:
            content["rest"] = pack(_rest(*self._telling))
        return content

    def sent(self) -> None:
        """The message has gone: what it said of the rest needs not be said again."""
        self._told = self._telling


def _rest(frames: Sequence[Sequence[Any]], frame_set: Sequence[Any], frame_rate: float) -> dict[str, Any]:
    return {
        "frames": [dict(zip(REST_OF_FRAME, values, strict=True)) for values in frames],
        "frame_set": dict(zip(REST_OF_SET, frame_set, strict=True)),
        "frame_rate": frame_rate,
    }


class FramesReader:
    """camera_node's end, which finds the pictures in `mappings`, one a stream."""

    def __init__(self, mappings: Sequence[SlotMapping]) -> None:
        self._mappings = mappings
        self._frames: list[dict[str, Any]] = []
        self._frame_set: dict[str, Any] = {}
        self._frame_rate = 0.0
        self._checked = False

    def read(self, content: Any) -> Announced:
        """Raises CameraError for what no capture process says."""
        try:
            return self._announced(content)
        except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise CameraError(f"the capture process announces what is no frame: {error}") from error

    def _announced(self, content: Mapping[str, Any]) -> Announced:
        if "rest" in content:
            self._learn(unpack(content["rest"]))
        stamp_ns, at_ns, metadata = content["stamp"], content["at"], unpack(content["metadata"])
        if type(stamp_ns) is not int or not 0 <= stamp_ns < LAST_STAMP_NS or type(at_ns) is not int:
            raise ValueError(f"a stamp of {stamp_ns!r:.40}")
        if not isinstance(metadata, dict):
            raise TypeError("metadata that are none")
        frames = [
            Frame(pixels=mapping.lease(slot), stamp_ns=stamp_ns, **rest)
            for mapping, slot, rest in zip(self._mappings, content["slots"], self._frames, strict=True)
        ]
        lores = frames[1] if len(frames) > 1 else None
        outputs = _outputs(content["outputs"]) if "outputs" in content else None
        frame_set = FrameSet(frames[0], lores, metadata=metadata, sensor_outputs=outputs, **self._frame_set)
        if not self._checked:
            check(frame_set)
            self._checked = True
        return Announced(frame_set, at_ns, self._frame_rate)

    def _learn(self, rest: Mapping[str, Any]) -> None:
        """Once checked with a picture, it counts for all that follow."""
        self._frames = [{name: one[name] for name in one if name in REST_OF_FRAME} for one in rest["frames"]]
        self._frame_set = {name: one for name, one in rest["frame_set"].items() if name in REST_OF_SET}
        self._frame_rate = rest["frame_rate"]
        if type(self._frame_rate) is not float or not self._frame_rate > 0:
            raise ValueError(f"a frame rate of {self._frame_rate!r:.40}")
        for one in self._frames:
            check_types("Frame", one)
        check_types("FrameSet", self._frame_set)
        self._checked = False


def check(frame_set: FrameSet) -> None:
    """Raises CameraError for what no camera takes."""
    if not all(map(_is_picture, frames_of(frame_set))):
        raise CameraError("the capture process announces a picture that is none")
    if frame_set.turn not in QUARTER_TURNS:
        raise CameraError(f"the capture process announces a picture to be turned by {frame_set.turn} degrees")


def _outputs(content: Any) -> SensorOutputs:
    """Raises CameraError for what nobody can read: what a tensor is made of it checks itself."""
    outputs = unpack(content)
    if not isinstance(outputs, SensorOutputs) or not _is_view(outputs.seen) or not isinstance(outputs.tensors, tuple):
        raise CameraError("the capture process announces outputs of the sensor that are none")
    if not all(isinstance(one, SensorTensor) for one in outputs.tensors):
        raise CameraError("the capture process announces a tensor of the sensor that is none")
    return outputs


def _is_picture(frame: Frame) -> bool:
    """Whether the pixels have the shape that `Frame` asks for."""
    if not (frame.view is None or _is_view(frame.view)):
        return False
    channels, shape = PACKED_CHANNELS.get(frame.encoding), frame.pixels.shape
    if channels is None:
        return frame.encoding in SEMI_PLANAR and len(shape) == 2 and shape[0] % 3 == 0
    return shape[2:] == ((channels,) if channels > 1 else ())


def _is_view(view: object) -> bool:
    """Whether it is one that a matrix can be made of: whole numbers, and crops with something in them."""
    if not isinstance(view, View):
        return False
    sizes = [(view.pixel_array, 2), (view.crop, 4), (view.whole, 4)]
    return view.orientation in QUARTER_TURNS and all(
        isinstance(numbers, tuple)
        and len(numbers) == length
        and all(type(number) is int for number in numbers)
        and min(numbers[-2:]) > 0
        for numbers, length in sizes
    )

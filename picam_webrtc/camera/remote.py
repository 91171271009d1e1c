"""A camera whose Picamera2 runs in a capture process; for capture.py and the node it is as one of this process."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from picam_webrtc.camera.capture_process import Way
from picam_webrtc.camera.clock import NS_PER_S
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.conversation import Conversation
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.picamera2_library import CameraInfo
from picam_webrtc.camera.protocol import UPLOAD_LIMIT_S, Deadline, Message
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import PACKED_CHANNELS, SEMI_PLANAR, Frame
from picam_webrtc.sensor_outputs import UNKNOWN_NETWORK, SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import QUARTER_TURNS, View

logger = logging.getLogger(__name__)

LAST_STAMP_NS = 2**31 * NS_PER_S
"""builtin_interfaces/Time counts seconds in an int32."""
STALE_PERIODS = 2
STALE_S = 0.1
"""A frame that is later than so many periods and this is not the newest: those after it found no slot free."""


MOST_WAITING = 2
"""Frames that a reader finds when it was held for a moment; of more the newest count."""


@dataclass(frozen=True, slots=True)
class Announced:
    """Frames, and when the capture process said so, CLOCK_REALTIME [ns], which no container changes."""

    frame_set: FrameSet
    at_ns: int


class RemoteSource:
    """One camera, in a new capture process for each opening; errors, logs and values are those of `Picamera2Source`."""

    def __init__(self, settings: CameraSettings, way: Way) -> None:
        """Raises CameraError when there is no camera, SettingError when not the wanted one."""
        self._settings = settings
        self._way = way
        self._frame_rate = settings.frame_rate
        self._controls: ControlSet | None = None
        self._known: dict[str, Any] = {}
        self._unsent: dict[str, Any] = {}
        self._network = UNKNOWN_NETWORK
        self.on_controls: Callable[[ControlSet], object] = _nobody
        self._conversation: Conversation | None = None
        self._open: Conversation | None = None
        self._lock = threading.Lock()  # controls change on any thread, and an opening tells all of them
        self._deaf = False
        self._waiting: deque[Announced] = deque(maxlen=MOST_WAITING)
        self.camera: CameraInfo
        self._text = ""
        self._met()

    def __str__(self) -> str:
        return self._text

    @property
    def frame_rate(self) -> float:
        """As the camera was set when it was open last."""
        return self._frame_rate

    def _met(self) -> Conversation:
        """The conversation about this camera that goes on, or a new one."""
        if self._conversation is not None:
            return self._conversation
        conversation = self._conversation = Conversation(self._way)
        with self._ended_on_error():
            made = conversation.ask("make", _request(self._settings), "made")
            match made:
                case {"camera": CameraInfo() as camera}:
                    self.camera = camera
                case _:
                    raise CameraError(f"{self._way} says nothing of its camera: {made!r:.60}")
            self._text, self._frame_rate, *_ = self._state(made)
        return conversation

    @contextmanager
    def _ended_on_error(self) -> Iterator[None]:
        try:
            yield
        except (CameraError, SettingError):
            try:
                self.close()
            except CameraError as error:
                logger.warning("%s", error)
            raise

    def probe(self) -> ControlSet:
        """Configure the camera for a moment to learn its controls, for plans to `apply`.

        Raises CameraError, and SettingError for a sensor mode, crop or window that it does not have.
        """
        conversation = self._met()
        with self._ended_on_error():
            _, self._frame_rate, controls, self._known = self._state(conversation.ask("probe", None, "probed"))
            if controls is None:
                raise CameraError(f"{self._way} says nothing of the camera's controls")
        self.close()
        self._controls = controls
        return controls

    def _state(self, content: Mapping[str, Any]) -> tuple[str, float, ControlSet | None, dict[str, Any]]:
        match content:
            case {
                "text": str(text),
                "frame_rate": float(frame_rate),
                "controls": ControlSet() | None as controls,
                "known": dict(known),
            } if frame_rate > 0:
                return text, frame_rate, controls, known
        raise CameraError(f"{self._way} says nothing of its camera: {content!r:.60}")

    def apply(self, plan: Plan) -> None:
        """Make changes that `ControlSet.plan` approved: with the next frame, or when the camera is opened next."""
        with self._lock:
            if self._controls is None:
                return
            controls = self._controls.commit(plan)
            if self._open is not None and self._open.say("apply", {"plan": plan}):
                return
            self._deaf = self._open is not None  # the next opening tells everything
            self._unsent.update(controls)

    def open(self) -> None:
        conversation = self._met()
        with self._ended_on_error():
            with self._lock:
                known = {**self._known, "unsent": self._unsent}
                conversation.tell("open", {"controls": self._controls, "known": known})
                self._open, self._deaf, self._unsent = conversation, False, {}
            answer = conversation.answer("opened", UPLOAD_LIMIT_S if self._settings.network else None)
            self._text, self._frame_rate, controls, self._known = self._state(answer)
            network = answer.get("network")  # of an older capture process None
            self._network = network if isinstance(network, SensorNetwork) else UNKNOWN_NETWORK
        if self._controls is None and controls is not None:
            self._controls = controls
            self.on_controls(controls)

    def read(self, timeout_s: float) -> FrameSet | None:
        if self._open is None:
            raise CameraError(f"{self.camera} is not open")
        if self._deaf:
            raise CameraError(f"{self._way} does not take any more controls")
        due = Deadline(timeout_s)
        self._collect(self._open, 0 if self._waiting else timeout_s)
        if self._waiting and self._late(self._waiting[-1]):
            self._collect(self._open, due.remaining_s())
        while len(self._waiting) > 1 and self._late(self._waiting[0]):
            self._waiting.popleft()
        return self._waiting.popleft().frame_set if self._waiting else None

    def _collect(self, conversation: Conversation, timeout_s: float) -> None:
        """Wait for a frame where none waits, and take all that are there; the newest stay."""
        conversation.give_back()
        while (announced := self._next(conversation, timeout_s)) is not None:
            self._waiting.append(announced)
            timeout_s = 0

    def _next(self, conversation: Conversation, timeout_s: float) -> "Announced | None":
        message = conversation.hear(timeout_s)
        match message:
            case None:
                return None
            case Message(
                "frames",
                {"frame_set": FrameSet() as frame_set, "frame_rate": float(rate), "announced_ns": int(announced)},
            ) if rate > 0:
                self._frame_rate = rate
                return Announced(self._with_network(_checked(frame_set)), announced)
        raise CameraError(f"{self._way} says {message.kind!r:.40}, and not what was taken")

    def _with_network(self, frame_set: FrameSet) -> FrameSet:
        if frame_set.sensor_outputs is None:
            return frame_set
        return replace(frame_set, sensor_outputs=replace(frame_set.sensor_outputs, network=self._network))

    def _late(self, announced: "Announced") -> bool:
        return time.time_ns() - announced.at_ns > (STALE_PERIODS / self._frame_rate + STALE_S) * NS_PER_S

    def close(self) -> None:
        """And end the capture process. Frames that somebody holds stay as they are."""
        self._waiting.clear()
        with self._lock:
            self._open = None
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.end()


def remote_listing(way: Way) -> tuple[str, ...]:
    """What list_cameras prints, from a capture process. Raises CameraError."""
    conversation, lines, more = Conversation(way), list[str](), True
    try:
        conversation.tell("list", None)
        while more:
            listed = conversation.answer("listed")
            more = listed.get("more") is True
            lines += map(str, listed.get("lines", ()))
    finally:
        conversation.end()
    return tuple(lines)


def _nobody(_: ControlSet) -> None:
    """Nobody asked to hear of controls that are learnt late."""


def _request(settings: CameraSettings) -> Mapping[str, Any]:
    level = logging.getLogger("picam_webrtc.camera").getEffectiveLevel()
    return {"settings": {field.name: getattr(settings, field.name) for field in fields(settings)}, "level": level}


def _checked(frame_set: FrameSet) -> FrameSet:
    """Raises CameraError for what no camera takes."""
    frames = [frame for frame in (frame_set.frame, frame_set.lores) if frame is not None]
    if not all(isinstance(frame, Frame) and _is_picture(frame) for frame in frames):
        raise CameraError("the capture process announces a picture that is none")
    if frame_set.turn not in QUARTER_TURNS:
        raise CameraError(f"the capture process announces a picture to be turned by {frame_set.turn} degrees")
    if not isinstance(frame_set.metadata, Mapping):
        raise CameraError("the capture process announces metadata that are none")
    if not (frame_set.sensor_outputs is None or _are_outputs(frame_set.sensor_outputs)):
        raise CameraError("the capture process announces outputs of the sensor that are none")
    return frame_set


def _are_outputs(outputs: object) -> bool:
    """Whether they can be read: what a tensor is made of it has checked itself."""
    if not isinstance(outputs, SensorOutputs) or not _is_view(outputs.seen):
        return False
    return isinstance(outputs.tensors, tuple) and all(isinstance(one, SensorTensor) for one in outputs.tensors)


def _is_picture(frame: Frame) -> bool:
    """Whether the pixels have the shape that `Frame` asks for, and the stamp is a time that ROS can say."""
    if not isinstance(frame.pixels, np.ndarray) or not 0 <= frame.stamp_ns < LAST_STAMP_NS:
        return False
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

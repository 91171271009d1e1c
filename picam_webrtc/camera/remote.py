"""A camera whose Picamera2 runs in a capture process; for capture.py and the node it is as one of this process."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from picam_webrtc.camera.capture_process import Way
from picam_webrtc.camera.clock import NS_PER_S
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.conversation import Conversation
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.frames_message import Announced
from picam_webrtc.camera.picamera2_library import CameraInfo
from picam_webrtc.camera.protocol import UPLOAD_LIMIT_S, Deadline
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.sensor_outputs import UNKNOWN_NETWORK, SensorNetwork
from picam_webrtc.settings import CameraSettings

logger = logging.getLogger(__name__)

STALE_PERIODS = 2
STALE_S = 0.1
"""A frame that is later than so many periods and this is not the newest: those after it found no slot free."""
SOON_PERIODS = 0.5
MOST_WAITING = 2
"""Frames that a reader finds when it was held for a moment; of more the newest count."""


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
        while (announced := conversation.next_frames(timeout_s)) is not None:
            self._frame_rate = announced.frame_rate
            self._waiting.append(self._with_network(announced))
            if self._age_s(announced) * announced.frame_rate < SOON_PERIODS:  # there is no newer one
                return
            timeout_s = 0

    def _with_network(self, announced: Announced) -> Announced:
        """The network was told of when the camera was opened."""
        outputs = announced.frame_set.sensor_outputs
        if outputs is None:
            return announced
        frame_set = replace(announced.frame_set, sensor_outputs=replace(outputs, network=self._network))
        return replace(announced, frame_set=frame_set)

    def _late(self, announced: Announced) -> bool:
        return self._age_s(announced) > STALE_PERIODS / announced.frame_rate + STALE_S

    @staticmethod
    def _age_s(announced: Announced) -> float:
        return (time.time_ns() - announced.at_ns) / NS_PER_S

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

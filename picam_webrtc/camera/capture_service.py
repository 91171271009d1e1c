"""The capture process' side of the protocol: one camera for one camera_node, on one thread."""

import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import picam_webrtc
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.frames_message import FramesWriter, frames_of
from picam_webrtc.camera.hang_guard import HangGuard
from picam_webrtc.camera.list_cameras import listing
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.picamera2_library import CameraLibrary, installed_library
from picam_webrtc.camera.protocol import PROTOCOL, UPLOAD_LIMIT_S, Link, LinkEnded, Message, MessageTooLong, refusal
from picam_webrtc.camera.slots import SlotPool
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.settings import CameraSettings

logger = logging.getLogger(__name__)
ENGINE = logging.getLogger("picam_webrtc")
T = TypeVar("T")

READ_S = 0.1
"""How long a read lasts at most, so that requests and the end of the connection are seen though frames come rarely."""
OPENING_LIMIT_S = 60.0
"""Longer than any camera takes to open; then a driver hangs."""
CLOSING_LIMIT_S = 5.0
SHORTEST_HANG_S = 1.0
ALIVE_S = 0.4
ANSWER_TIMEOUT_S = 5.0
"""How long camera_node may leave an answer unread."""
LINES_A_MESSAGE = 20
UNANSWERED = frozenset({"apply", "release"})


class MalformedRequest(CameraError):
    """What no camera_node of this version says."""


class CaptureService:
    """Answers camera_node over `link` until the connection ends; then closes the camera."""

    def __init__(
        self, link: Link, guard: HangGuard, find_library: Callable[[], CameraLibrary] = installed_library
    ) -> None:
        self._link = link
        self._guard = guard
        self._find_library = find_library
        self._library: CameraLibrary | None = None
        self._source: Picamera2Source | None = None
        self._opened = False
        self._pools: list[SlotPool] = []
        self._writer = FramesWriter()
        self._hang_limit_s = SHORTEST_HANG_S
        self._said_alive_s = 0.0
        self._tensors_fit = True
        self._requests: Mapping[str, Callable[[Any], None]] = {
            "hello": self._hello,
            "make": self._make,
            "probe": self._probe,
            "list": self._list,
            "open": self._open,
            "apply": self._apply,
            "release": self._release,
        }

    def run(self) -> None:
        """Until the connection ends."""
        handler = LinkLogHandler(self._link)
        ENGINE.addHandler(handler)
        ENGINE.propagate = False
        try:
            while True:
                self._step()
        except LinkEnded:  # as camera_node ends it
            pass
        finally:
            ENGINE.removeHandler(handler)
            ENGINE.propagate = True
            self._close()
            self._link.close()

    def _step(self) -> None:
        """One request, or where none waits one frame."""
        try:
            message = self._link.receive(0 if self._opened else None)
            if message is not None:
                self._answer(message)
            elif self._source is not None:
                self._guard.watch(self._hang_limit_s)
                self._capture(self._source)
        except LinkEnded:
            raise
        except CameraError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("Camera source broke")
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """camera_node opens a new connection then, and with it another process."""
        self._link.send("fault", {"text": str(error)})
        raise LinkEnded(str(error))

    def _answer(self, message: Message) -> None:
        try:
            request = self._requests[message.kind]
        except KeyError:
            raise CameraError(f"camera_node asks for {message.kind!r:.40}, which is no request") from None
        try:
            request(message.content)
        except (LinkEnded, MalformedRequest):
            raise
        except (CameraError, SettingError) as error:
            if message.kind in UNANSWERED:
                raise
            self._reply("refused", refusal(error))

    def _reply(self, kind: str, content: Any, memory: Sequence[int] = ()) -> None:
        if not self._link.send(kind, content, memory, timeout_s=ANSWER_TIMEOUT_S):
            raise LinkEnded("camera_node does not read what it asked for")

    def _hello(self, _content: Any) -> None:
        """Before all else, Picamera2's import with it: where it fails there is no use in asking on."""
        problem = ""
        try:
            self._library = self._find_library()
        except CameraError as error:
            problem = str(error)
        versions = {"protocol": PROTOCOL, "version": picam_webrtc.__version__, "python": platform.python_version()}
        self._reply("hello", {**versions, "problem": problem})

    def _make(self, content: Any) -> None:
        ENGINE.setLevel(_part(content, "level", int))
        settings = known_settings(_part(content, "settings", dict))
        self._hang_limit_s = max(SHORTEST_HANG_S, settings.watchdog_timeout)
        self._source = source = Picamera2Source(settings, self._found_library(), make_pool=self._make_pool)
        self._reply("made", {"camera": source.camera, **_state(source)})

    def _found_library(self) -> CameraLibrary:
        if self._library is None:
            raise MalformedRequest("camera_node has not said hello to a working Picamera2")
        return self._library

    def _make_pool(self, shape: tuple[int, ...]) -> SlotPool:
        self._pools.append(SlotPool(shape))
        return self._pools[-1]

    def _probe(self, _content: Any) -> None:
        with self._guard.watching(OPENING_LIMIT_S):
            source = self._made()
            source.probe()
        self._reply("probed", _state(source))

    def _list(self, _content: Any) -> None:
        lines = list(listing(self._found_library()))
        for start in range(0, len(lines) or 1, LINES_A_MESSAGE):
            end = start + LINES_A_MESSAGE
            self._reply("listed", {"lines": lines[start:end], "more": end < len(lines)})

    def _open(self, content: Any) -> None:
        source = self._made()
        controls = content.get("controls") if isinstance(content, dict) else None
        if self._opened or self._pools or not isinstance(controls, ControlSet | None):
            raise MalformedRequest("camera_node's request to open the camera makes no sense")
        self._take_over(source, controls, _part(content, "known", dict))
        with self._guard.watching(UPLOAD_LIMIT_S if source.has_network else OPENING_LIMIT_S):
            source.open()
        self._opened = True
        shapes = [pool.shape for pool in self._pools]
        self._reply("opened", {**_state(source), "shapes": shapes}, [pool.descriptor for pool in self._pools])

    def _take_over(self, source: Picamera2Source, controls: ControlSet | None, known: Mapping[str, Any]) -> None:
        try:
            source.take_over(controls, known)
        except (TypeError, ValueError, AttributeError) as error:
            raise MalformedRequest(f"camera_node knows of this camera what makes no sense: {error}") from error

    def _apply(self, content: Any) -> None:
        plan = _part(content, "plan", Plan)
        try:
            self._made().apply(plan)
        except (KeyError, TypeError, AttributeError) as error:
            raise MalformedRequest(f"camera_node's plan of controls does not fit this camera: {error}") from error

    def _release(self, content: Any) -> None:
        if not isinstance(content, list):
            raise MalformedRequest("camera_node gives back no list of slots")
        for one in content:
            match one:
                case [int(stream), int(slot)] if 0 <= stream < len(self._pools):
                    self._pools[stream].give_back(slot)
                case _:
                    raise MalformedRequest(f"camera_node gives back {one!r:.40}, which is no slot")

    def _made(self) -> Picamera2Source:
        if self._source is None:
            raise MalformedRequest("camera_node has not said which camera")
        return self._source

    def _capture(self, source: Picamera2Source) -> None:
        frame_set = source.read(READ_S)
        if frame_set is None or any(pool.taken_slot is None for pool in self._pools):
            # No frame, or camera_node has not looked at the last ones yet: live video does not queue.
            self._say_alive()
        elif self._announce(frame_set, source):
            for pool in self._pools:
                pool.lend()

    def _announce(self, frame_set: FrameSet, source: Picamera2Source) -> bool:
        """Whether it went; without the sensor's outputs where they are too long."""
        try:
            content = self._writer.content(frame_set, self._slots(frame_set), source.frame_rate)
            if not self._link.send_packed("frames", content):
                return False
            self._writer.sent()
            return True
        except MessageTooLong as error:
            if frame_set.sensor_outputs is None:
                raise
            if self._tensors_fit:
                self._tensors_fit = False
                name = source.network.name
                logger.warning("Outputs of the network %s are left out (%s): camera_process:=own has them", name, error)
            outputs = replace(frame_set.sensor_outputs, tensors=())
            return self._announce(replace(frame_set, sensor_outputs=outputs), source)

    def _say_alive(self) -> None:
        """Often enough that a camera that gives nothing is not taken for a process that hangs."""
        if time.monotonic() - self._said_alive_s > ALIVE_S:
            self._said_alive_s = time.monotonic()
            self._link.send("alive")

    def _slots(self, frame_set: FrameSet) -> list[int | None]:
        """Where camera_node finds the pictures of the streams."""
        return [pool.slot_of(frame.pixels) for pool, frame in zip(self._pools, frames_of(frame_set), strict=True)]

    def _close(self) -> None:
        self._guard.watch(CLOSING_LIMIT_S)
        try:
            if self._opened and self._source is not None:
                self._source.close()
        except CameraError as error:
            logger.error("%s", error)
        finally:
            self._guard.rest()
            for pool in self._pools:
                pool.close()


class LinkLogHandler(logging.Handler):
    """Has camera_node log what is logged here."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._link.send("log", {"name": record.name, "level": record.levelno, "text": self.format(record)})
        except LinkEnded:  # nobody is left to read it
            return


def _state(source: Picamera2Source) -> dict[str, Any]:
    """What camera_node keeps of a source, to tell it, or the next one, at the next opening."""
    rate, known = source.frame_rate, source.known
    state = {"text": str(source), "frame_rate": rate, "controls": source.controls, "known": known}
    return {**state, "network": source.network}


def known_settings(values: Mapping[str, Any]) -> CameraSettings:
    """camera_node's parameters, as far as they exist here. Raises SettingError."""
    declared = {one.name for one in CameraSettings.declarations()}
    strange = sorted(str(name) for name in values if name not in declared)
    if strange:
        logger.warning("The capture process knows no %s: update its copy of picam_webrtc", ", ".join(strange))
    return CameraSettings.from_values({name: value for name, value in values.items() if name in declared})


def _part(content: Any, name: str, kind: type[T]) -> T:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise MalformedRequest(f"camera_node's request has {value!r:.40} for {name}")
    return value

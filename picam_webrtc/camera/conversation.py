"""camera_node's side of the protocol: what is said with one capture process, from its start to its end."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import picam_webrtc
from picam_webrtc.camera.capture_process import NoPicamera2, Way
from picam_webrtc.camera.frames_message import Announced, FramesReader
from picam_webrtc.camera.protocol import PROTOCOL, Deadline, LinkEnded, Message, close_all, refused
from picam_webrtc.camera.slots import SlotMapping
from picam_webrtc.errors import CameraError

ENGINE = "picam_webrtc"

ANSWER_TIMEOUT_S = 30.0
"""Picamera2 takes seconds to load from a cold SD card, and some cameras get their firmware when they are opened."""
CLOSE_PATIENCE_S = 1.0
"""Picamera2 closes in 0.3 to 0.5 s."""
SILENT_S = 1.0
"""A process that has said nothing for so long hangs: without frames it says twice a second that it lives."""


class Conversation:
    """Used by one thread at a time, but for `say`."""

    def __init__(self, way: Way) -> None:
        """Start the process and see that both sides understand each other. Raises CameraError."""
        self._way = way
        self._process = way.start()
        self._heard_s = time.monotonic()
        self._mappings: tuple[SlotMapping, ...] = ()
        self._reader = FramesReader(())
        try:
            self._greet()
        except CameraError:
            self.end()
            raise

    def _greet(self) -> None:
        theirs = self.ask("hello", {"protocol": PROTOCOL, "version": picam_webrtc.__version__}, "hello")
        protocol, version, problem = (theirs.get(name) for name in ("protocol", "version", "problem"))
        if protocol != PROTOCOL:
            raise CameraError(
                f"{self._way} speaks protocol {protocol} (picam_webrtc {version}), camera_node protocol {PROTOCOL} "
                f"(picam_webrtc {picam_webrtc.__version__}): update the older copy"
            )
        if problem:
            raise NoPicamera2(f"{self._way}: {problem}")

    def say(self, kind: str, content: Any) -> bool:
        """Say something that has no answer, from any thread; whether the process goes on listening.

        Of a process that has ended `hear` tells, and of what it said before that.
        """
        with suppress(LinkEnded):
            return self._process.link.send(kind, content)
        return True

    def tell(self, kind: str, content: Any) -> None:
        """Ask something. Raises CameraError when nobody listens any more."""
        try:
            sent = self._process.link.send(kind, content)
        except LinkEnded as error:
            raise self._ended() from error
        if not sent:
            raise CameraError(f"{self._way} does not listen any more")

    def ask(self, kind: str, content: Any, answer: str) -> Mapping[str, Any]:
        """The content of the answer. Raises CameraError, or what the capture process raised."""
        self.tell(kind, content)
        return self.answer(answer)

    def answer(self, kind: str, timeout_s: float | None = None) -> Mapping[str, Any]:
        """Wait for the answer to what was told, so long or as any takes."""
        timeout_s = ANSWER_TIMEOUT_S if timeout_s is None else timeout_s
        message = self.hear(timeout_s)
        if message is None:
            raise CameraError(f"{self._way} does not answer within {timeout_s:g} s")
        if message.kind == "refused":
            raise refused(message.content)
        try:
            if message.kind != kind or not isinstance(message.content, Mapping):
                raise CameraError(f"{self._way} answers with {message.kind!r:.40}, and not with {kind!r}")
            self._map(message)
        finally:
            close_all(message.memory)
        return message.content

    def _map(self, message: Message) -> None:
        if message.memory:
            shapes = message.content.get("shapes")
            if not isinstance(shapes, Sequence) or len(shapes) != len(message.memory):
                raise CameraError(f"{self._way} shares {len(message.memory)} memories of shapes {shapes!r:.60}")
            self._mappings = tuple(map(SlotMapping, message.memory, shapes))
            self._reader = FramesReader(self._mappings)

    def hear(self, timeout_s: float) -> Message | None:
        """What comes in that time, but for logs and signs of life. Raises CameraError for its end and its faults."""
        due: Deadline | None = None
        while True:
            try:
                message = self._process.link.receive(timeout_s if due is None else due.remaining_s())
            except LinkEnded as error:
                raise self._ended() from error
            if message is None:
                return None
            self._heard_s = time.monotonic()
            if message.kind == "fault":
                raise refused(message.content)
            if message.kind == "log":
                _log(message.content)
            elif message.kind != "alive":
                return message
            due = due or Deadline(timeout_s)

    def next_frames(self, timeout_s: float) -> Announced | None:
        """What the camera took next, where that comes in that time. Raises CameraError."""
        message = self.hear(timeout_s)
        if message is None:
            return None
        if message.kind != "frames":
            raise CameraError(f"{self._way} says {message.kind!r:.40}, and not what was taken")
        return self._reader.read(message.content)

    def give_back(self) -> None:
        """Return the slots of pictures that nobody looks at any more."""
        slots = [[stream, slot] for stream, mapping in enumerate(self._mappings) for slot in mapping.returned()]
        if slots:
            self.say("release", slots)

    def _ended(self) -> CameraError:
        return CameraError(self._process.why_it_ended())

    def end(self) -> None:
        """End the process, which closes its camera first; killed where it does not. Raises CameraError."""
        silent = time.monotonic() - self._heard_s > SILENT_S
        due = Deadline(0 if silent else CLOSE_PATIENCE_S)
        self._process.link.end_sending()
        try:
            while (message := self.hear(due.remaining_s())) is not None:
                close_all(message.memory)
        except CameraError:  # its end, as a rule; and whatever it says now changes nothing
            pass
        self._process.end(due.remaining_s())


def _log(content: Any) -> None:
    """Log what the capture process logs, under the name of the same module."""
    match content:
        case {"name": str(name), "level": int(level), "text": str(text)} if name.split(".")[0] == ENGINE:
            logging.getLogger(name).log(level, "%s", text)

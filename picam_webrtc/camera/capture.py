"""The thread that keeps a source delivering, whatever happens to it."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from enum import Enum
from types import TracebackType
from typing import Any, Self

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.source import FrameSource
from picam_webrtc.camera.turn import Turner
from picam_webrtc.color import as_smpte170m
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame
from picam_webrtc.sensor_outputs import SensorOutputs

logger = logging.getLogger(__name__)

STOP_CHECK_S = 0.1
"""How long a read lasts at most, so that stop() is prompt though frames come rarely or never."""
STOP_TIMEOUT_S = 1.5
"""How long stop() waits for a camera whose driver hangs, before leaving it behind."""

FrameHandler = Callable[[Frame], None]
OutputsHandler = Callable[[SensorOutputs, Frame], None]


class CaptureState(Enum):
    STOPPED = "stopped"
    OPENING = "opening"
    LIVE = "live"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """A snapshot for diagnostics. Counts run since the object was made.

    `attempts` counts the faults since the last frame: 0 when all is well. `silent_s` is the time since the
    capture thread last reported anything: it grows while a driver hangs.
    """

    state: CaptureState = CaptureState.STOPPED
    frames: int = 0
    faults: int = 0
    attempts: int = 0
    handler_errors: int = 0
    last_error: str = ""
    silent_s: float = 0.0
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits between attempts to reopen [s]: `first`, then doubled up to `longest`."""

    first: float = 0.5
    longest: float = 10.0

    def delay_s(self, attempts: int) -> float:
        return min(self.longest, self.first * 2.0 ** min(attempts - 1, 30))


class Capture:
    """Opens `source` on a thread of its own, hands on its frames, and reopens it when it fails.

    The handlers run on that thread; one that raises is logged and counted, and capture goes on. What a network on the
    sensor made of a frame is handed on before the frame.
    Frames that stop for `watchdog_timeout_s` are a fault. May be started again after a stop.
    """

    def __init__(
        self,
        source: FrameSource,
        on_frame: FrameHandler,
        *,
        on_lores: FrameHandler | None = None,
        on_sensor_outputs: OutputsHandler | None = None,
        watchdog_timeout_s: float = 2.0,
        back_off: BackOff | None = None,
    ) -> None:
        self._source = source
        self._handlers = _Handlers(on_frame, on_lores, on_sensor_outputs)
        self._watchdog_timeout_s = watchdog_timeout_s
        self._back_off = back_off or BackOff()
        self._board = _Board()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._thread is not None and not self._stopping.is_set()

    def status(self) -> CaptureStatus:
        """Where things stand; from any thread."""
        return self._board.snapshot()

    def start(self) -> None:
        """Begin to capture; does nothing when it runs already. Faults are retried, not raised."""
        if self.running:
            return
        before, self._stopping = self._thread, threading.Event()
        self._thread = threading.Thread(
            target=copy_context().run,  # so that its log lines appear where those of the caller do
            name="capture",
            daemon=True,  # a driver that hangs must not keep the process alive
            args=(
                _capture,
                self._source,
                self._handlers,
                self._board,
                self._stopping,
                self._watchdog_timeout_s,
                self._back_off,
                before,
            ),
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread, which closes the source. Returns after STOP_TIMEOUT_S even if its driver hangs."""
        if self._thread is None:
            return
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            logger.error("Camera does not let go (%s); left to end with the process", self._source)
        else:
            self._thread = None


@dataclass(frozen=True, slots=True)
class _Handlers:
    on_frame: FrameHandler
    on_lores: FrameHandler | None
    on_sensor_outputs: OutputsHandler | None

    def deliver(self, frame_set: FrameSet) -> None:
        logger.debug("Captured image frame with shape: %s", frame_set.frame.shape)
        # First what is small, so that it is on its way when the picture comes.
        if frame_set.sensor_outputs is not None and self.on_sensor_outputs is not None:
            self.on_sensor_outputs(frame_set.sensor_outputs, frame_set.frame)
        self.on_frame(frame_set.frame)
        if frame_set.lores is not None and self.on_lores is not None:
            self.on_lores(frame_set.lores)


class _Board:
    """Written by the capture thread alone; a reader sees one whole snapshot."""

    def __init__(self) -> None:
        self.status = CaptureStatus()
        self._updated_s = time.monotonic()

    def update(self, **changes: Any) -> None:
        self._updated_s = time.monotonic()
        self.status = replace(self.status, **changes)

    def snapshot(self) -> CaptureStatus:
        return replace(self.status, silent_s=time.monotonic() - self._updated_s)

    def record_frames(self, frame_set: FrameSet) -> None:
        if self.status.attempts:
            logger.info("Camera delivers again after %d faults", self.status.attempts)
        self.update(
            state=CaptureState.LIVE,
            frames=self.status.frames + 1,
            attempts=0,
            last_error="",
            metadata=frame_set.metadata,
        )

    def record_fault(self, error: Exception) -> int:
        status = self.status
        self.update(
            state=CaptureState.FAULT, faults=status.faults + 1, attempts=status.attempts + 1, last_error=str(error)
        )
        return self.status.attempts

    def record_handler_error(self) -> None:
        self.update(handler_errors=self.status.handler_errors + 1)


def _capture(
    source: FrameSource,
    handlers: _Handlers,
    board: _Board,
    stopping: threading.Event,
    watchdog_timeout_s: float,
    back_off: BackOff,
    before: threading.Thread | None,
) -> None:
    """The thread `capture`: open, read until told to stop, close; after a fault wait and begin anew."""
    while before is not None and before.is_alive() and not stopping.is_set():
        before.join(STOP_CHECK_S)  # a thread that hung in its driver still has the camera
    while not stopping.is_set():
        try:
            _open(source, board)
            _read_on(source, handlers, board, stopping, watchdog_timeout_s)
        except CameraError as error:
            _wait_after(error, board, stopping, back_off, source)
        except Exception as error:
            logger.exception("Camera source broke")
            _wait_after(error, board, stopping, back_off, source)
        else:
            logger.info("Camera stopped")
            if _close(source):
                logger.info("Camera closed successfully.")
    board.update(state=CaptureState.STOPPED, attempts=0)


def _open(source: FrameSource, board: _Board) -> None:
    if not board.status.attempts:
        board.update(state=CaptureState.OPENING)
    source.open()
    logger.info("Camera started: %s", source)


def _read_on(
    source: FrameSource, handlers: _Handlers, board: _Board, stopping: threading.Event, watchdog_timeout_s: float
) -> None:
    """Hand on frames until `stopping`. Raises CameraError when they stop coming."""
    last_s, turned = time.monotonic(), Turner()
    while not stopping.is_set():
        frame_set = source.read(min(STOP_CHECK_S, watchdog_timeout_s))
        if stopping.is_set():  # nobody expects a frame after stop()
            return
        if frame_set is not None:
            board.record_frames(frame_set)
            _deliver(handlers, _in_one_color_space(turned(frame_set)), board)
            last_s = time.monotonic()
        elif time.monotonic() - last_s >= watchdog_timeout_s:
            raise CameraError(f"no frame for {watchdog_timeout_s:g} s from {source}")


def _in_one_color_space(frame_set: FrameSet) -> FrameSet:
    """Once, here, and not by each of those who get it."""
    lores = as_smpte170m(frame_set.lores) if frame_set.lores is not None else None
    return replace(frame_set, frame=as_smpte170m(frame_set.frame), lores=lores)


def _deliver(handlers: _Handlers, frame_set: FrameSet, board: _Board) -> None:
    try:
        handlers.deliver(frame_set)
    except Exception:
        board.record_handler_error()
        logger.exception("A handler of frames failed; capture goes on")


def _wait_after(
    error: Exception, board: _Board, stopping: threading.Event, back_off: BackOff, source: FrameSource
) -> None:
    attempts = board.record_fault(error)
    _close(source)
    delay_s = back_off.delay_s(attempts)
    logger.warning("Camera fault: %s; opening again in %g s", error, delay_s)
    stopping.wait(delay_s)


def _close(source: FrameSource) -> bool:
    try:
        source.close()
    except CameraError as error:
        logger.error("%s", error)
        return False
    return True

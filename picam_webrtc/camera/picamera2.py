"""Cameras on Picamera2; the only importer of picamera2 and libcamera, and only where it opens them."""

import concurrent.futures
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.clock import Clock, SystemClock
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control, controls_of
from picam_webrtc.camera.formats import ASKED_FORMATS, StreamLayout, layout_of
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.stamps import stamp_ns
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.settings import CameraSettings

logger = logging.getLogger(__name__)

BUFFER_COUNT = 4
"""One being filled, one queued, one being copied, one spare; more only cost memory."""
US_PER_S = 1_000_000
CANCEL_TIMEOUT_S = 0.5
FOREIGN_ERRORS = (RuntimeError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What Picamera2 raises for a camera that is gone, busy or refuses a configuration; it has no class of its own."""


class CameraLibrary(Protocol):
    """What is needed of Picamera2's module; tests and virtual cameras bring their own."""

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        """`Picamera2.global_camera_info()`: one mapping per camera with `Id`, `Model`, ..."""

    def open(self, index: int) -> Any:
        """An opened `Picamera2` object."""

    def transform(self, hflip: bool, vflip: bool) -> Any:
        """A `libcamera.Transform`."""

    def mapped(self, request: Any, stream: str) -> AbstractContextManager[Pixels]:
        """The memory of one stream of a completed request, one-dimensional uint8, while the context is open."""

    def formats(self, device: Any) -> Mapping[str, Sequence[tuple[int, int]]]:
        """libcamera's names of the pixel formats of an opened camera's main stream, each with its sizes [px]."""

    def raw_formats(self, camera_id: str) -> Mapping[str, Sequence[tuple[int, int]]]:
        """The same of a camera's sensor, which is not opened for it."""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One attached camera, as `index` finds it."""

    index: int
    id: str
    model: str

    def __str__(self) -> str:
        return f"camera {self.index}, {self.model} ({self.id})"


def installed_library() -> CameraLibrary:
    """The installed Picamera2. Raises CameraError when it cannot be imported."""
    try:
        import libcamera
        import picamera2
    except (ImportError, *FOREIGN_ERRORS) as error:
        hint = "install it with `sudo apt install python3-picamera2` (docs/raspberry-pi.md)"
        raise CameraError(f"Picamera2 cannot be imported ({error}); {hint}") from error
    return InstalledLibrary(picamera2.Picamera2, picamera2.MappedArray, libcamera)


class InstalledLibrary:
    """Picamera2 as it is, or a class derived from it."""

    def __init__(self, camera_class: Any, mapped_array: Any, libcamera: Any) -> None:
        self._camera_class = camera_class
        self._mapped_array = mapped_array
        self._libcamera = libcamera

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        return list(self._camera_class.global_camera_info())

    def open(self, index: int) -> Any:
        return self._camera_class(index)

    @contextmanager
    def mapped(self, request: Any, stream: str) -> Iterator[Pixels]:
        with self._mapped_array(request, stream, reshape=False, write=False) as mapped:
            yield mapped.array

    def transform(self, hflip: bool, vflip: bool) -> Any:
        return self._libcamera.Transform(hflip=hflip, vflip=vflip)

    def formats(self, device: Any) -> Mapping[str, Sequence[tuple[int, int]]]:
        return self._formats(device.camera, self._libcamera.StreamRole.VideoRecording)

    def raw_formats(self, camera_id: str) -> Mapping[str, Sequence[tuple[int, int]]]:
        cameras = self._libcamera.CameraManager.singleton().cameras
        return self._formats(next(one for one in cameras if one.id == camera_id), self._libcamera.StreamRole.Raw)

    def _formats(self, camera: Any, role: Any) -> Mapping[str, Sequence[tuple[int, int]]]:
        formats = camera.generate_configuration([role]).at(0).formats
        return {
            str(name): [(size.width, size.height) for size in formats.sizes(name)] for name in formats.pixel_formats
        }


def device_controls(device: Any) -> tuple[Control, ...]:
    """The controls of an opened camera."""
    ids = {name: control_id for name, (control_id, _) in device.camera_ctrl_info.items()}
    return controls_of(device.camera_controls, ids)


def list_cameras(library: CameraLibrary) -> tuple[CameraInfo, ...]:
    """All cameras that Picamera2 sees, in its order. Raises CameraError when it cannot tell."""
    try:
        found = library.cameras()
    except FOREIGN_ERRORS as error:
        raise CameraError(f"Picamera2 cannot list cameras: {error}") from error
    return tuple(
        CameraInfo(index, str(camera["Id"]), str(camera.get("Model", "unknown"))) for index, camera in enumerate(found)
    )


def sensor_modes(library: CameraLibrary, camera: CameraInfo) -> list[str]:
    """Sizes [px] and formats that the sensor itself gives; none for cameras without a raw stream: USB, virtual."""
    try:
        formats = library.raw_formats(camera.id)
    except FOREIGN_ERRORS:
        return []
    return [f"{width}x{height} {name}" for name, sizes in formats.items() for width, height in sizes]


def select_camera(cameras: Sequence[CameraInfo], wanted: str) -> CameraInfo:
    """The camera with that index, id or part of its model's name; the first for "".

    Raises CameraError when there is no camera at all, SettingError when none is meant or several are.
    """
    if not cameras:
        raise CameraError("Picamera2 sees no camera: check the cable and `rpicam-hello --list-cameras`")
    if not wanted:
        return cameras[0]
    exact = [camera for camera in cameras if wanted in (str(camera.index), camera.id)]
    chosen = exact
    if not exact and not wanted.isdigit():  # a number is an index: 7 does not mean an imx708
        chosen = [camera for camera in cameras if wanted.lower() in camera.model.lower()]
    if len(chosen) == 1:
        return chosen[0]
    problem = f"{len(chosen)} cameras match, give an index or an id" if chosen else "no such camera"
    raise SettingError("camera", wanted, f"{problem}; there are: {'; '.join(map(str, cameras))}")


class PicturePool(Protocol):
    """Where the memory of pictures comes from."""

    def take(self) -> Pixels:
        """A picture to be written, uint8."""


class Picamera2Source:
    """One camera, configured for low latency: few buffers, no preview, nothing queued.

    A frame is copied out once, so that its buffer returns to the camera at once, whoever keeps the frame.
    """

    def __init__(
        self,
        settings: CameraSettings,
        library: CameraLibrary,
        clock: Clock | None = None,
        make_pool: Callable[[tuple[int, ...]], PicturePool] = BufferPool,
    ) -> None:
        """`make_pool` gives the memory for pictures of a shape.

        Raises CameraError when there is no camera, SettingError when not the wanted one.
        """
        self.camera = select_camera(list_cameras(library), settings.camera)
        self._settings = settings
        self._library = library
        self._clock = clock or SystemClock()
        self._device: Any = None
        self._job: Any = None
        self._streams: dict[str, StreamLayout] = {}
        self._make_pool = make_pool
        self._pools: dict[str, PicturePool] = {}
        self._period_us = round(US_PER_S / settings.frame_rate)
        self._controls: ControlSet | None = None
        self._controls_lock = threading.Lock()  # they are changed on any thread and sent on the reading one
        self._unsent: dict[str, Any] = {}

    def __str__(self) -> str:
        main = self._streams.get("main")
        size = f", {main.width}x{main.height} {main.encoding}" if main else ""
        return f"{self.camera}{size} at {self._settings.frame_rate:g} frames/s"

    @property
    def frame_rate(self) -> float:
        """By the control FrameDurationLimits where that is set, else by the parameter frame_rate."""
        limits = self._controls.values.get("FrameDurationLimits") if self._controls else ()
        shortest_us = limits[0] if isinstance(limits, tuple) and limits else self._period_us
        return US_PER_S / shortest_us

    def probe(self) -> ControlSet:
        """Open the camera for a moment to learn its controls, for plans to `apply`. Raises CameraError."""
        try:
            device = self._library.open(self.camera.index)
            try:
                self._controls = ControlSet(device_controls(device), self._period_us)
            finally:
                device.close()
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} does not open: {_reason(error)}") from error
        return self._controls

    @property
    def controls(self) -> ControlSet | None:
        """As they are set; None until they are known."""
        return self._controls

    @property
    def known(self) -> dict[str, Any]:
        """What need not be learnt or said again when this camera is opened again, beside its controls."""
        return {"streams": self._streams}

    def take_over(self, controls: ControlSet | None, known: Mapping[str, Any]) -> None:
        """Go on where another source of this camera ended."""
        self._controls = controls
        self._streams = dict(known.get("streams", {}))

    def apply(self, plan: Plan) -> None:
        """Make changes that `ControlSet.plan` approved: with the next frame, or when the camera is opened next."""
        with self._controls_lock:
            if self._controls is not None:
                self._unsent.update(self._controls.commit(plan))

    def open(self) -> None:
        try:
            self._device = self._library.open(self.camera.index)
            self._device.configure(self._configuration())
            self._read_back(self._device.camera_configuration())
            self._device.start()
            self._request_next()
        except (CameraError, *FOREIGN_ERRORS) as error:
            self._close_quietly()
            raise CameraError(f"{self.camera} does not open: {_reason(error)}") from error

    def read(self, timeout_s: float) -> FrameSet | None:
        if self._job is None:
            raise CameraError(f"{self.camera} is not open")
        try:
            request = self._job.get_result(timeout=timeout_s)
        except (TimeoutError, concurrent.futures.TimeoutError):
            return None  # the job stays queued, and the next read waits for it again
        except (concurrent.futures.CancelledError, *FOREIGN_ERRORS) as error:
            raise CameraError(f"{self.camera} failed: {_reason(error)}") from error
        return self._frame_set(request)

    def close(self) -> None:
        """Close without `stop()`, which waits for ever when Picamera2's event loop has died; `close()` does not."""
        device, self._device, job, self._job = self._device, None, self._job, None
        if device is None:
            return
        try:
            device.cancel_all_and_flush()
            _release_result(job)
            device.close()
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} does not close: {_reason(error)}") from error

    def _configuration(self) -> Any:
        settings, device = self._settings, self._device
        options: dict[str, Any] = {}
        if settings.lores_width:
            options["lores"] = {"format": "YUV420", "size": (settings.lores_width, settings.lores_height)}
        if settings.hflip or settings.vflip:
            options["transform"] = self._library.transform(settings.hflip, settings.vflip)
        return device.create_video_configuration(
            main={"format": ASKED_FORMATS[settings.format], "size": (settings.width, settings.height)},
            buffer_count=BUFFER_COUNT,
            queue=False,
            display=None,
            encode=None,
            controls={name: value for name, value in self._first_controls() if name in device.camera_controls},
            **options,
        )

    def _first_controls(self) -> Iterable[tuple[str, Any]]:
        controls: dict[str, Any] = {"FrameDurationLimits": (self._period_us, self._period_us)}
        with self._controls_lock:
            self._unsent = {}
            if self._controls is not None:
                controls.update(self._controls.all_for_camera())
        return controls.items()

    def _send_controls(self) -> None:
        with self._controls_lock:
            controls, self._unsent = self._unsent, {}
        if controls:
            self._device.set_controls(controls)

    def _read_back(self, configuration: Mapping[str, Any]) -> None:
        """Learn what libcamera made of the request: it adjusts formats and sizes without a word."""
        names = ("main", "lores") if self._settings.lores_width else ("main",)
        before, self._streams = self._streams, {name: layout_of(configuration[name]) for name in names}
        if self._streams != before or not self._pools:
            self._pools = {name: self._make_pool(layout.shape) for name, layout in self._streams.items()}
        if self._streams != before:  # else said already
            self._tell_differences(self._streams["main"], self._settings)

    def _tell_differences(self, main: StreamLayout, settings: CameraSettings) -> None:
        if (main.width, main.height) != (settings.width, settings.height):
            logger.warning(
                "%s gives %dx%d, not %dx%d", self.camera, main.width, main.height, settings.width, settings.height
            )
        if main.format != ASKED_FORMATS[settings.format]:
            logger.warning("%s gives %s, not format %s", self.camera, main.encoding, settings.format)

    def _request_next(self) -> None:
        # Asked for before the frame is due and before the last one is dealt with: with queue=False a
        # frame that nobody waits for is dropped.
        self._job = self._device.capture_request(wait=False)

    def _frame_set(self, request: Any) -> FrameSet:
        try:
            self._send_controls()
            self._request_next()
            metadata = request.get_metadata()
            stamp = stamp_ns(metadata, self._clock)
            frames = {name: self._frame(request, name, stamp) for name in self._streams}
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} gave an unusable frame: {_reason(error)}") from error
        finally:
            request.release()
        return FrameSet(frames["main"], frames.get("lores"), metadata)

    def _frame(self, request: Any, name: str, stamp: int) -> Frame:
        layout, pixels = self._streams[name], self._pools[name].take()
        with self._library.mapped(request, name) as buffer:
            layout.copy(buffer, pixels)
        pixels.flags.writeable = False
        return Frame(pixels, layout.encoding, stamp, self._settings.frame_id)

    def _close_quietly(self) -> None:
        try:
            self.close()
        except CameraError as error:
            logger.warning("After a failed opening: %s", error)


def _release_result(job: Any) -> None:
    """Give back the request that a job may have got just before it was cancelled."""
    if job is None:
        return
    try:
        job.get_result(timeout=CANCEL_TIMEOUT_S).release()
    except (concurrent.futures.CancelledError, TimeoutError, *FOREIGN_ERRORS) as error:
        logger.debug("No request to give back: %s", error)


def _reason(error: BaseException) -> str:
    """Picamera2 wraps causes: the innermost one tells what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{error}" or type(error).__name__

"""Cameras on Picamera2."""

import concurrent.futures
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.clock import Clock, SystemClock
from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.formats import ASKED_FORMATS, StreamLayout, layout_of
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.imx500 import Imx500, open_imx500, select_sensor, without_tensors
from picam_webrtc.camera.picamera2_library import (
    FOREIGN_ERRORS,
    CameraLibrary,
    device_controls,
    list_cameras,
    reason,
)
from picam_webrtc.camera.sensor import Flips, Sensor
from picam_webrtc.camera.sensor_mode import SensorMode, choose_mode, modes_of, parse_crop, parse_window
from picam_webrtc.camera.stamps import stamp_ns
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import ColorSpace, Frame, Pixels
from picam_webrtc.sensor_outputs import UNKNOWN_NETWORK, SensorNetwork
from picam_webrtc.settings import CameraSettings

logger = logging.getLogger(__name__)

US_PER_S = 1_000_000
CANCEL_TIMEOUT_S = 0.5
AF_METERING_WINDOWS = 1
HALF_TURN = 180


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
        if settings.tuning_file:  # libcamera reads it when it looks for cameras
            library.use_tuning(settings.tuning_file)
        self.camera = select_sensor(list_cameras(library), settings)
        self._settings = settings
        self._library = library
        self._clock = clock or SystemClock()
        self._device: Any = None
        self._imx500: Imx500 | None = None
        self._job: Any = None
        self._job_done = threading.Event()
        self._streams: dict[str, StreamLayout] = {}
        self._make_pool = make_pool
        self._pools: dict[str, PicturePool] = {}
        self._modes: tuple[SensorMode, ...] = ()
        self._sensor: Sensor | None = None
        self._color_space = ColorSpace.SMPTE170M
        self._said: set[str] = set()
        self._period_us = round(US_PER_S / settings.frame_rate)
        self._controls: ControlSet | None = None
        self._controls_lock = threading.Lock()  # they are changed on any thread and sent on the reading one
        self._unsent: dict[str, Any] = {}
        self.on_controls: Callable[[ControlSet], object] = _nobody

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
        """Configure the camera for a moment to learn its controls, for plans to `apply`.

        Raises CameraError, and SettingError for a sensor mode, crop or window that it does not have.
        """
        try:
            device = self._open_device()
            try:
                device.configure(self._configuration(device))
                return self._learn(device)
            finally:
                device.close()
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} does not open: {reason(error)}") from error
        finally:
            self._close_imx500()

    @property
    def controls(self) -> ControlSet | None:
        """As they are set; None until they are known."""
        return self._controls

    @property
    def has_network(self) -> bool:
        """Whether the sensor is to run one."""
        return bool(self._settings.network)

    @property
    def network(self) -> SensorNetwork:
        """What the sensor runs while the camera is open."""
        return self._imx500.network if self._imx500 is not None else UNKNOWN_NETWORK

    @property
    def known(self) -> dict[str, Any]:
        """What need not be learnt or said again when this camera is opened again, and `unsent`: controls that wait for
        it, beside those that it is told at each opening.
        """
        with self._controls_lock:
            return {"modes": self._modes, "said": self._said, "unsent": dict(self._unsent)}

    def take_over(self, controls: ControlSet | None, known: Mapping[str, Any]) -> None:
        """Go on where another source of this camera ended."""
        self._modes = tuple(known.get("modes", ()))
        self._said = set(known.get("said", ()))
        with self._controls_lock:
            self._controls = controls
            self._unsent = dict(known.get("unsent", {}))

    def apply(self, plan: Plan) -> None:
        """Make changes that `ControlSet.plan` approved: with the next frame, or when the camera is opened next."""
        with self._controls_lock:
            if self._controls is not None:
                self._unsent.update(self._controls.commit(plan))

    def open(self) -> None:
        known = self._controls is not None
        try:
            device = self._device = self._open_device()
            device.configure(self._configuration(device))
            self._read_back(device.camera_configuration())
            controls = self._learn(device)
            device.set_controls(self._first_controls(device, controls))
            device.start()
            if self._imx500 is not None:
                self._imx500.started()
            self._request_next()
        except (CameraError, SettingError, *FOREIGN_ERRORS) as error:
            self._close_quietly()
            raise CameraError(f"{self.camera} does not open: {reason(error)}") from error
        if not known:
            self.on_controls(controls)

    def read(self, timeout_s: float) -> FrameSet | None:
        if self._job is None:
            raise CameraError(f"{self.camera} is not open")
        if not self._job_done.wait(timeout_s):
            return None  # the job stays queued, and the next read waits for it again
        try:
            request = self._job.get_result()
        except (concurrent.futures.CancelledError, *FOREIGN_ERRORS) as error:
            raise CameraError(f"{self.camera} failed: {reason(error)}") from error
        return self._frame_set(request)

    def close(self) -> None:
        """Close without `stop()`, which waits for ever when Picamera2's event loop has died; `close()` does not."""
        device, self._device, job, self._job = self._device, None, self._job, None
        try:
            if device is not None:
                self._close_device(device, job)
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} does not close: {reason(error)}") from error
        finally:
            self._close_imx500()

    def _close_device(self, device: Any, job: Any) -> None:
        try:
            self._cancel(device, job)
        finally:
            device.close()

    def _close_imx500(self) -> None:
        imx500, self._imx500 = self._imx500, None
        if imx500 is not None:
            imx500.close()

    def _open_device(self) -> Any:
        """The camera by its id: indices change when cameras come and go."""
        settings, library = self._settings, self._library
        if settings.hdr != "unchanged":
            library.set_sensor_hdr(self.camera.id, settings.hdr == "on")
        found = [camera.index for camera in list_cameras(library) if camera.id == self.camera.id]
        if not found:
            raise CameraError(f"{self.camera} is not there any more")
        if settings.network:
            self._imx500 = open_imx500(library, settings, self.camera, *self._flips.read_backwards)
            self._say_once(f"{self.camera} gets the network {settings.network}, which may take minutes the first time")
        return library.open(found[0])

    @property
    def _turn_left(self) -> int:
        """A sensor can be read backwards, which is half a turn, but not by columns."""
        orientation = self._settings.orientation
        return 0 if orientation == HALF_TURN else orientation

    @property
    def _flips(self) -> Flips:
        settings = self._settings
        return Flips(settings.hflip, settings.vflip, settings.orientation - self._turn_left)

    def _configuration(self, device: Any) -> Any:
        settings = self._settings
        options: dict[str, Any] = {}
        if settings.lores_width:
            options["lores"] = {"format": "YUV420", "size": (settings.lores_width, settings.lores_height)}
        backwards = self._flips.read_backwards
        if any(backwards):
            options["transform"] = self._library.transform(*backwards)
        if settings.sensor_mode:
            if not self._modes:  # Picamera2 configures the camera for each of them to learn it
                self._modes = modes_of(device.sensor_modes)
            size = settings.width, settings.height
            mode = choose_mode(settings.sensor_mode, self._modes, size, settings.frame_rate)
            # As a raw stream, and not as `sensor`, which Picamera2 has since 0.3.13 only.
            options["raw"] = {"size": mode.size, "format": mode.format}
        period = (self._period_us, self._period_us)
        return device.create_video_configuration(
            main={"format": ASKED_FORMATS[settings.format], "size": (settings.width, settings.height)},
            colour_space=self._library.color_space(ColorSpace.SMPTE170M),
            buffer_count=settings.buffer_count,
            queue=False,
            display=None,
            encode=None,
            controls={"FrameDurationLimits": period} if "FrameDurationLimits" in device.camera_controls else {},
            **options,
        )

    def _learn(self, device: Any) -> ControlSet:
        """The configured camera's geometry and, the first time, its controls. Raises SettingError."""
        configuration, table = device.camera_configuration(), device.camera_controls
        self._sensor = Sensor.of(device.camera_properties, table, configuration, self._flips)
        if self._sensor is not None:
            self._say_once(f"{self.camera} shows {self._sensor.text}")
        if "FrameDurationLimits" in table and (shortest_us := table["FrameDurationLimits"][0]) > self._period_us:
            most = US_PER_S / shortest_us
            rate = f"{self._settings.frame_rate:g}"
            note = f"{self.camera} gives at most {most:.1f} frames/s in this sensor mode, not {rate}"
            self._say_once(note, logging.WARNING)
        with self._controls_lock:
            if self._controls is None:
                self._controls = self._new_controls(device, configuration)
            return self._controls

    def _new_controls(self, device: Any, configuration: Mapping[str, Any]) -> ControlSet:
        preset = {name: int(value) for name, value in configuration["controls"].items() if name == "NoiseReductionMode"}
        controls = ControlSet(device_controls(device), self._period_us, preset)
        if self._sensor is not None:
            crop = parse_crop(self._settings.crop, self._sensor.whole, self._sensor.limits)
            window = parse_window(self._settings.af_window, crop or self._sensor.whole)
            given: dict[str, object] = {"ScalerCrop": crop} if crop else {}
            given |= {"AfMetering": AF_METERING_WINDOWS, "AfWindows": window} if window else {}
            controls.commit(controls.plan(given))
        elif self._settings.crop or self._settings.af_window:
            raise SettingError("crop", self._settings.crop, "this camera does not tell the geometry of its sensor")
        return controls

    def _first_controls(self, device: Any, controls: ControlSet) -> dict[str, Any]:
        """What the configured camera is told before it starts: all that the parameters say, and what was triggered."""
        table = device.camera_controls
        with self._controls_lock:
            triggered = {name: value for name, value in self._unsent.items() if controls.controls[name].is_trigger}
            self._unsent = {}
            first = {"FrameDurationLimits": (self._period_us, self._period_us)} | controls.all_for_camera() | triggered
        if "ScalerCrop" in first and "ScalerCrops" in table:
            # Picamera2's configure() has set these on a Raspberry Pi 5, and they would win.
            first["ScalerCrops"] = [first.pop("ScalerCrop")] * len(self._streams)
        return {name: value for name, value in first.items() if name in table}

    def _send_controls(self) -> None:
        with self._controls_lock:
            controls, self._unsent = self._unsent, {}
        if controls:
            self._device.set_controls(controls)

    def _read_back(self, configuration: Mapping[str, Any]) -> None:
        """Learn what libcamera made of the request: it adjusts formats and sizes without a word."""
        names = ("main", "lores") if self._settings.lores_width else ("main",)
        before, self._streams = self._streams, {name: layout_of(configuration[name]) for name in names}
        self._read_back_colors(configuration)
        if self._streams != before:
            self._pools = {name: self._make_pool(layout.shape) for name, layout in self._streams.items()}
        main, settings = self._streams["main"], self._settings
        if (main.width, main.height) != (settings.width, settings.height):
            asked = f"{settings.width}x{settings.height}"
            self._say_once(f"{self.camera} gives {main.width}x{main.height}, not {asked}", logging.WARNING)
        if main.format != ASKED_FORMATS[settings.format]:
            self._say_once(f"{self.camera} gives {main.encoding}, not format {settings.format}", logging.WARNING)

    def _read_back_colors(self, configuration: Mapping[str, Any]) -> None:
        given = self._library.color_space_of(configuration.get("colour_space"))
        self._color_space = given or ColorSpace.SMPTE170M
        if given not in (None, ColorSpace.SMPTE170M):
            note = "each YUV picture is converted, which costs time: a bgr or rgb format does not need that"
            self._say_once(f"{self.camera} gives colours in {given.value}; {note}", logging.WARNING)

    def _say_once(self, text: str, level: int = logging.INFO) -> None:
        """Not at each opening."""
        if text not in self._said:
            self._said.add(text)
            logger.log(level, "%s", text)

    def _request_next(self) -> None:
        # Asked for before the frame is due and before the last one is dealt with: with queue=False a
        # frame that nobody waits for is dropped. Waited for by an event: a job's own result could not be
        # waited for with a limit before Picamera2 0.3.17.
        done = self._job_done = threading.Event()
        self._job = self._device.capture_request(wait=False, signal_function=lambda _: done.set())

    def _frame_set(self, request: Any) -> FrameSet:
        try:
            self._send_controls()
            self._request_next()
            metadata = request.get_metadata()
            stamp = stamp_ns(metadata, self._clock)
            frames = {name: self._frame(request, name, stamp, metadata) for name in self._streams}
        except FOREIGN_ERRORS as error:
            raise CameraError(f"{self.camera} gave an unusable frame: {reason(error)}") from error
        finally:
            request.release()
        outputs = self._imx500.outputs(metadata) if self._imx500 is not None else None
        return FrameSet(frames["main"], frames.get("lores"), without_tensors(metadata), self._turn_left, outputs)

    def _frame(self, request: Any, name: str, stamp: int, metadata: Mapping[str, Any]) -> Frame:
        layout, pixels = self._streams[name], self._pools[name].take()
        with self._library.mapped(request, name) as buffer:
            layout.copy(buffer, pixels)
        pixels.flags.writeable = False
        view = self._sensor.view(name, metadata) if self._sensor is not None else None
        return Frame(pixels, layout.encoding, stamp, self._settings.frame_id, self._color_space, view)

    def _cancel(self, device: Any, job: Any) -> None:
        """Take back the job that waits, and give back the request that it may have got just before.

        Before Picamera2 0.3.20 a job cannot be taken back; it ends with the device.
        """
        if hasattr(device, "cancel_all_and_flush"):
            device.cancel_all_and_flush()
            _release_result(job, timeout=CANCEL_TIMEOUT_S)
        elif self._job_done.is_set():
            _release_result(job)

    def _close_quietly(self) -> None:
        try:
            self.close()
        except CameraError as error:
            logger.warning("After a failed opening: %s", error)


def _release_result(job: Any, **timeout: float) -> None:
    if job is None:
        return
    try:
        job.get_result(**timeout).release()
    except (concurrent.futures.CancelledError, TimeoutError, *FOREIGN_ERRORS) as error:
        logger.debug("No request to give back: %s", error)


def _nobody(_: ControlSet) -> None:
    """Nobody asked to hear of controls that are learnt late."""

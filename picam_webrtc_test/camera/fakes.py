"""Stand-ins for time, for cameras and for Picamera2, with the latter's traps."""

import concurrent.futures
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame

TIMEOUT_S = 10.0
"""Long enough for any machine; no test waits for it unless it fails."""


class FakeClock:
    """Time that passes only in sleep_ns()."""

    def __init__(self, realtime_ns: int = 1_700_000_000_000_000_000) -> None:
        self.now_ns = 5_000_000_000
        self.real_offset_ns = realtime_ns - self.now_ns
        self.slept_ns: list[int] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def boottime_ns(self) -> int:
        return self.now_ns

    def realtime_ns(self) -> int:
        return self.now_ns + self.real_offset_ns

    def sleep_ns(self, duration_ns: int) -> None:
        self.slept_ns.append(duration_ns)
        self.now_ns += duration_ns


def make_frame_set(stamp_ns: int = 1, metadata: Mapping[str, Any] | None = None, lores: bool = False) -> FrameSet:
    frame = Frame(np.zeros((4, 6, 3), np.uint8), "bgr8", stamp_ns, "optical")
    small = Frame(np.zeros((3, 4), np.uint8), "nv12", stamp_ns, "optical") if lores else None
    return FrameSet(frame, small, metadata or {})


class FakeSource:
    """Delivers what a test puts into `frame_sets`: frames of one moment, or an error to raise."""

    frame_rate: float | None = 30.0

    def __init__(self) -> None:
        self.frame_sets: queue.SimpleQueue[FrameSet | Exception] = queue.SimpleQueue()
        self.open_errors: list[Exception] = []
        self.log: list[str] = []
        self.opened = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)

    def __str__(self) -> str:
        return "fake camera"

    def open(self) -> None:
        self.log.append("open")
        self.opened.release()
        if self.open_errors:
            raise self.open_errors.pop(0)

    def read(self, timeout_s: float) -> FrameSet | None:
        try:
            frame_set = self.frame_sets.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(frame_set, Exception):
            raise frame_set
        return frame_set

    def close(self) -> None:
        self.log.append("close")
        self.closed.release()


class FakeRequest:
    def __init__(self, buffers: Mapping[str, Any], metadata: Mapping[str, Any], on_release: Callable[[], None]) -> None:
        self.buffers, self.metadata, self._on_release = buffers, metadata, on_release
        self.releases = 0

    def get_metadata(self) -> dict[str, Any]:
        return dict(self.metadata)

    def release(self) -> None:
        self.releases += 1
        self._on_release()


class FakeJob:
    def __init__(self) -> None:
        self.future: concurrent.futures.Future[FakeRequest] = concurrent.futures.Future()

    def get_result(self, timeout: float | None = None) -> FakeRequest:
        return self.future.result(timeout)


class FakeControlId:
    """What libcamera tells of a control, for the few that tests use."""

    def __init__(self, name: str) -> None:
        self.size = ARRAY_SIZES.get(name, 0)
        self.isArray = name in ARRAY_SIZES
        self._enumerators = ENUMERATORS.get(name, {})

    def enumerators(self) -> dict[int, str]:
        return self._enumerators


ARRAY_SIZES = {"FrameDurationLimits": 2, "ColourGains": 2, "ColourCorrectionMatrix": 9, "AfWindows": 2**64 - 1}
ENUMERATORS = {
    "AfMode": {0: "AfModeManual", 1: "AfModeAuto", 2: "AfModeContinuous"},
    "NoiseReductionMode": {0: "NoiseReductionModeOff", 1: "NoiseReductionModeFast", 9: "NoiseReductionModeNew"},
}
IMX708_CONTROLS: Mapping[str, tuple[Any, Any, Any]] = {
    "AeEnable": (False, True, True),
    "AeExposureMode": (0, 3, 0),
    "AfMode": (0, 2, 0),
    "AfMetering": (0, 1, 0),
    "AfWindows": ((0, 0, 0, 0), (65535, 65535, 65535, 65535), (0, 0, 0, 0)),
    "AnalogueGain": (1.1228, 16.0, None),
    "AwbEnable": (False, True, None),
    "AwbMode": (0, 7, 0),
    "Brightness": (-1.0, 1.0, 0.0),
    "ColourCorrectionMatrix": (-16.0, 16.0, None),
    "ColourGains": (0.0, 32.0, None),
    "ColourTemperature": (100, 100000, None),
    "Contrast": (0.0, 32.0, 1.0),
    "ExposureTime": (26, 66666, 20000),
    "ExposureTimeMode": (0, 1, 0),
    "FrameDurationLimits": (16666, 120000, None),
    "LensPosition": (0.0, 32.0, 1.0),
    "NoiseReductionMode": (0, 4, 0),
    "ScalerCrop": ((768, 432, 64, 64), (768, 432, 3072, 1728), (768, 432, 3072, 1728)),
    "SyncMode": (None, None, None),
}
"""As a Camera Module 3 reports them, a few of them."""


class FakePicamera2:
    """As far as the source uses it. `adjust` is what libcamera silently makes of a configuration."""

    camera_controls: Mapping[str, tuple[Any, Any, Any]] = {"FrameDurationLimits": (33333, 120000, None)}

    def __init__(self, adjust: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.adjust = adjust or {}
        self.configuration: dict[str, Any] = {}
        self.jobs: list[FakeJob] = []
        self.calls: list[str] = []
        self.unreleased = 0
        self.errors: dict[str, Exception] = {}
        self.sent: list[dict[str, Any]] = []
        self.sensor_modes: list[dict[str, Any]] = []

    def set_controls(self, controls: dict[str, Any]) -> None:
        self._called("set_controls")
        self.sent.append(controls)

    @property
    def camera_ctrl_info(self) -> dict[str, tuple[Any, Any]]:
        return {name: (FakeControlId(name), None) for name in self.camera_controls}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def create_video_configuration(self, **options: Any) -> dict[str, Any]:
        return options

    def configure(self, configuration: dict[str, Any]) -> None:
        self._called("configure")
        self.configuration = dict(configuration)
        for name in ("main", "lores"):
            if name in self.configuration:
                stream = {**self.configuration[name], **self.adjust.get(name, {})}
                stream.setdefault("stride", stream["size"][0] * BYTES_IN_ROW_PER_PIXEL[stream["format"]])
                self.configuration[name] = stream

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def start(self) -> None:
        self._called("start")

    def capture_request(self, wait: bool) -> FakeJob:
        assert wait is False
        self.jobs.append(FakeJob())
        return self.jobs[-1]

    def cancel_all_and_flush(self) -> None:
        self._called("cancel_all_and_flush")
        for job in self.jobs:
            if not job.future.done():
                job.future.set_exception(concurrent.futures.CancelledError())

    def close(self) -> None:
        self._called("close")

    def complete(self, buffers: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        """What the camera does when it has a frame: the job that waits gets it."""
        self.unreleased += 1
        request = FakeRequest(buffers or self.blank_buffers(), metadata or {}, self._release)
        self.jobs[-1].future.set_result(request)

    def blank_buffers(self) -> dict[str, Any]:
        return {
            name: np.zeros(self.configuration[name]["stride"] * self.configuration[name]["size"][1] * 2, np.uint8)
            for name in ("main", "lores")
            if name in self.configuration
        }

    def _release(self) -> None:
        self.unreleased -= 1


BYTES_IN_ROW_PER_PIXEL = {
    "RGB888": 3,
    "BGR888": 3,
    "XRGB8888": 4,
    "XBGR8888": 4,
    "YUYV": 2,
    "UYVY": 2,
    "R8": 1,
    "NV12": 1,
    "NV21": 1,
    "YUV420": 1,
    "YVU420": 1,
    "MJPEG": 1,
}


class FakeLibrary:
    """Picamera2's module with these cameras: models, in the order of their indices."""

    def __init__(self, *models: str, device: FakePicamera2 | None = None) -> None:
        self.models = models
        self.device = device or FakePicamera2()
        self.opened: list[int] = []
        self.error: Exception | None = None

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        return [{"Id": f"/base/i2c@{index}/{model}", "Model": model} for index, model in enumerate(self.models)]

    def open(self, index: int) -> FakePicamera2:
        if self.error:
            raise RuntimeError("Camera __init__ sequence did not complete.") from self.error
        self.opened.append(index)
        return self.device

    def transform(self, hflip: bool, vflip: bool) -> Any:
        return {"hflip": hflip, "vflip": vflip}

    def mapped(self, request: FakeRequest, stream: str) -> AbstractContextManager[Any]:
        return nullcontext(request.buffers[stream])

    def formats(self, device: Any) -> Mapping[str, Sequence[tuple[int, int]]]:
        return {"RGB888": [(640, 480), (1280, 720)], "YUV420": []}

    def raw_formats(self, camera_id: str) -> Mapping[str, Sequence[tuple[int, int]]]:
        return {"SRGGB10_CSI2P": [(1536, 864), (4608, 2592)]}


class Gone(CameraError):
    """A fault that a test makes."""

"""Picamera2's module as far as it is used here; the only importer of picamera2 and libcamera."""

import atexit
import inspect
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from picam_webrtc.camera.controls import Control, controls_of
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import ColorSpace, Pixels

FOREIGN_ERRORS = (RuntimeError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What Picamera2 raises for a camera that is gone, busy or refuses a configuration; it has no class of its own."""
TUNING_VARIABLE = "LIBCAMERA_RPI_TUNING_FILE"
"""Read by libcamera's camera manager when it finds the cameras, which is before `Picamera2(tuning=...)` sets it."""
IMX500_PACKAGES = "imx500-all python3-jsonschema python3-libarchive-c python3-openexr python3-tqdm"
"""Firmware and networks, and what picamera2/devices/imx500 (0.3.38) imports beyond the rest of Picamera2."""


class CameraLibrary(Protocol):
    """What is needed of Picamera2's module; tests and virtual cameras bring their own."""

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        """`Picamera2.global_camera_info()`: one mapping per camera with `Id`, `Model`, ..."""

    def open(self, index: int) -> Any:
        """An opened `Picamera2` object."""

    def use_tuning(self, name: str) -> None:
        """Have cameras opened with the tuning file of that name or path. Raises SettingError."""

    def set_sensor_hdr(self, camera_id: str, enabled: bool) -> None:
        """Switch the high dynamic range of a sensor that has its own. Raises SettingError."""

    def open_imx500(self, network: str, camera_id: str) -> Any:
        """Picamera2's `IMX500` with that network file, for the camera of that id; to be made before `open`.

        Raises SettingError where Picamera2 lacks what the class needs, and what the class itself raises.
        """

    def transform(self, hflip: bool, vflip: bool) -> Any:
        """A `libcamera.Transform`."""

    def color_space(self, color_space: ColorSpace) -> Any:
        """A `libcamera.ColorSpace`."""

    def color_space_of(self, configured: Any) -> ColorSpace | None:
        """What a configured camera's `colour_space` is; None for another one, or none."""

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
        # Since 0.3.13; before, memory was always mapped for writing too.
        reads_only = "write" in inspect.signature(mapped_array.__init__).parameters
        self._mapping = {"reshape": False, "write": False} if reads_only else {"reshape": False}
        self._tuning_name = ""
        self._tuning: dict[str, str] = {}

    def cameras(self) -> Sequence[Mapping[str, Any]]:
        return list(self._camera_class.global_camera_info())

    def open(self, index: int) -> Any:
        return self._camera_class(index, **self._tuning)

    def use_tuning(self, name: str) -> None:
        if name == self._tuning_name:
            return
        try:
            content = self._camera_class.load_tuning_file(name)
        except (*FOREIGN_ERRORS, json.JSONDecodeError) as error:
            reason = f"{error}; give the name of a file in libcamera's data folder, such as imx219_noir.json, or a path"
            raise SettingError("tuning_file", name, reason) from error
        # Kept for as long as the process lives: the file is read each time that libcamera looks for cameras.
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="picam_webrtc_", delete=False) as file:
            json.dump(content, file)
        atexit.register(Path(file.name).unlink, missing_ok=True)
        self._tuning_name, self._tuning = name, {"tuning": file.name}
        os.environ[TUNING_VARIABLE] = file.name

    def set_sensor_hdr(self, camera_id: str, enabled: bool) -> None:
        found = next((camera for camera in self.cameras() if camera["Id"] == camera_id), {})
        if not str(found.get("Model", "")).startswith("imx708"):
            raise SettingError("hdr", "on" if enabled else "off", "only Camera Module 3 (imx708) has it on its sensor")
        try:
            from picamera2.devices.imx708 import IMX708

            with IMX708(found.get("Num")) as sensor:
                sensor.set_sensor_hdr_mode(enabled)
        except (ImportError, *FOREIGN_ERRORS) as error:
            raise SettingError("hdr", "on" if enabled else "off", f"cannot be set: {error}") from error

    def open_imx500(self, network: str, camera_id: str) -> Any:
        try:
            from picamera2.devices.imx500 import IMX500
        except (ImportError, *FOREIGN_ERRORS) as error:
            remedy = f"run `sudo apt install {IMX500_PACKAGES}`"
            text = f"Picamera2's class for the IMX500 cannot be imported ({error}): {remedy}"
            raise SettingError("network", network, text) from error
        return IMX500(network, camera_id)

    @contextmanager
    def mapped(self, request: Any, stream: str) -> Iterator[Pixels]:
        with self._mapped_array(request, stream, **self._mapping) as mapped:
            yield mapped.array

    def transform(self, hflip: bool, vflip: bool) -> Any:
        return self._libcamera.Transform(hflip=hflip, vflip=vflip)

    def color_space(self, color_space: ColorSpace) -> Any:
        return self._color_spaces()[color_space]

    def color_space_of(self, configured: Any) -> ColorSpace | None:
        return next((ours for ours, theirs in self._color_spaces().items() if theirs == configured), None)

    def _color_spaces(self) -> dict[ColorSpace, Any]:
        spaces = self._libcamera.ColorSpace
        return {
            ColorSpace.SMPTE170M: spaces.Smpte170m(),
            ColorSpace.REC709: spaces.Rec709(),
            ColorSpace.SYCC: spaces.Sycc(),
        }

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
    """The controls of an opened camera: right once it is configured; before, libcamera tells generic limits."""
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


def reason(error: BaseException) -> str:
    """Picamera2 wraps causes: the innermost one tells what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{error}" or type(error).__name__

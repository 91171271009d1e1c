"""Prints the cameras that Picamera2 sees: ids, models, sensor modes, formats and controls."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from picam_webrtc.camera.controls import Control
from picam_webrtc.camera.formats import ASKED_FORMATS
from picam_webrtc.camera.picamera2_library import (
    FOREIGN_ERRORS,
    CameraInfo,
    CameraLibrary,
    device_controls,
    list_cameras,
)
from picam_webrtc.camera.reach import reach
from picam_webrtc.camera.remote import remote_listing
from picam_webrtc.camera.sensor_mode import SensorMode, modes_of, view_text
from picam_webrtc.errors import CameraError
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import Size


def listing(library: CameraLibrary) -> Iterator[str]:
    """The lines to print. Raises CameraError when Picamera2 cannot list cameras at all."""
    cameras = list_cameras(library)
    if not cameras:
        yield "Picamera2 sees no camera: check the cable and `rpicam-hello --list-cameras`"
    for camera in cameras:
        yield str(camera)
        try:
            device = library.open(camera.index)
        except FOREIGN_ERRORS as error:  # in use by somebody else, for instance
            yield f"  does not open: {error}"
            continue
        try:
            yield from _details(library, camera, device)
        finally:
            device.close()


def _details(library: CameraLibrary, camera: CameraInfo, device: Any) -> Iterator[str]:
    yield f"  parameter: camera:={camera.index}, camera:={camera.id} or camera:={camera.model}"
    array = device.camera_properties.get("PixelArraySize")
    yield "  sensor modes (sensor_mode:=):"
    yield from (f"    {_mode_line(mode, array)}" for mode in _sensor_modes(device))
    yield "  formats:"
    names = {name: parameter for parameter, name in ASKED_FORMATS.items()}
    for name, sizes in library.formats(device).items():
        parameter = f" (format:={names[name]})" if name in names else ""
        yield f"    {name}{parameter}, up to {'x'.join(map(str, max(sizes, default=('?', '?'))))}"
    yield f"  controls{_configured(device)}:"
    yield from (f"    {_control_line(control)}" for control in device_controls(device))


def _sensor_modes(device: Any) -> tuple[SensorMode, ...]:
    try:
        return modes_of(device.sensor_modes)
    except FOREIGN_ERRORS:  # cameras without a raw stream have none: USB, virtual
        return ()


def _mode_line(mode: SensorMode, pixel_array: Size | None) -> str:
    view = f", sees {view_text(mode.crop, pixel_array)}" if pixel_array else ""
    return f"{mode} at up to {mode.frame_rate:.1f} frames/s, {mode.format}{view}"


def _configured(device: Any) -> str:
    """Controls have the limits of a sensor mode once the camera is configured, and generic ones before."""
    settings = CameraSettings()
    size = settings.width, settings.height
    try:
        device.configure(device.create_video_configuration(main={"size": size}))
    except FOREIGN_ERRORS:
        return ", before the camera is configured"
    return f" at {size[0]}x{size[1]}"


def _control_line(control: Control) -> str:
    limits = "" if control.minimum is None else f", {control.minimum} to {control.maximum}"
    default = "" if control.default is None else f", default {control.default}"
    return f"{control.name}: {control.kind.value}{limits}{default}: {control.description}"


def lines() -> Iterator[str]:
    """The lines to print, from wherever Picamera2 is. Raises CameraError."""
    return reach(CameraSettings(), listing, lambda way: iter(remote_listing(way)))


def main(arguments: Sequence[str] | None = None) -> int:
    """`arguments` in place of this process's."""
    ArgumentParser("list_cameras", description=__doc__).parse_args(arguments)
    try:
        for line in lines():
            print(line)
    except CameraError as error:
        print(f"list_cameras: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What a child process of the doctor does: try foreign things, which may raise, crash or hang, and tell."""

import importlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

LONGEST_ERROR = 200
"""Characters of an error that are worth a line."""


def run(steps: Sequence[tuple[str, str]]) -> None:
    """Answer each step by a line of JSON at the standard output, and end the process."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for probe, argument in steps:
        answers.write(json.dumps(_answer(PROBES[probe], argument)) + "\n")
        answers.flush()
    os._exit(0)  # at their end some libraries wait for threads


def _answer(probe: Callable[[str], Any], argument: str) -> dict[str, Any]:
    try:
        return {"value": probe(argument)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is the answer
        text = " ".join(str(error).split())
        return {"error": f"{type(error).__name__}: {text}"[:LONGEST_ERROR]}


def import_module(name: str) -> str:
    """Its version, where it tells one."""
    return str(getattr(importlib.import_module(name), "__version__", ""))


def convert_picture(_: str) -> bool:
    """OpenCV works on an array of numpy's."""
    cv2, numpy = importlib.import_module("cv2"), importlib.import_module("numpy")
    grey = cv2.cvtColor(numpy.full((2, 2, 3), 9, numpy.uint8), cv2.COLOR_BGR2GRAY)
    return bool((grey == 9).all())


def middleware(_: str) -> list[str]:
    """The name of the rmw implementation that is loaded, and the libraries of middleware that came with it."""
    name = importlib.import_module("rclpy.utilities").get_rmw_implementation_identifier()
    maps = Path("/proc/self/maps").read_text()
    return [str(name), *sorted(set(re.findall(r"lib(?:fastdds|fastrtps|ddsc|zenohc)\.so[.\d]*", maps)))]


def load_model(path: str) -> None:
    from picam_webrtc.inference.model import Model

    Model(Path(path))


def encoders(devices: str) -> dict[str, str]:
    """Encoder → why it does not open, "" where it does. The hardware's is tried where there are such `devices`."""
    from picam_webrtc.streaming.encode.encoders import (
        EncoderConfig,
        EncoderError,
        V4l2H264Encoder,
        Vp8Encoder,
        X264Encoder,
    )
    from picam_webrtc.streaming.encode.rendition import Codec

    found = {}
    for encoder, codec in ((X264Encoder, Codec.H264), (Vp8Encoder, Codec.VP8), (V4l2H264Encoder, Codec.H264)):
        if encoder is V4l2H264Encoder and not devices:
            continue
        try:
            encoder(EncoderConfig(codec, 640, 480, 1_000_000, 1_000_000, 30.0)).close()
            found[encoder.name] = ""
        except EncoderError as error:
            found[encoder.name] = str(error)
    return found


def cameras(_: str) -> list[dict[str, Any]]:
    """Every camera, with the modes of its sensor. None is opened: whoever uses them is not disturbed."""
    from picam_webrtc.camera.picamera2_library import installed_library, list_cameras, sensor_modes

    library = installed_library()
    return [{"camera": str(one), "modes": sensor_modes(library, one)} for one in list_cameras(library)]


PROBES: Mapping[str, Callable[[str], Any]] = {
    function.__name__: function
    for function in (import_module, convert_picture, middleware, load_model, encoders, cameras)
}

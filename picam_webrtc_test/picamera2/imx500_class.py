"""Runs inside the tree: Picamera2's own IMX500 reads outputs, places boxes and describes networks, without its sensor.

Prints JSON: for each case of stdin what `READERS` make of it. What the class imports for other purposes, its firmware's
archive and pictures of its input, is replaced by nothing, and so is its driver, which takes whatever it is told.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import ModuleType, SimpleNamespace
from typing import Any

import libcamera

from picam_webrtc.camera.imx500 import Imx500

UNUSED: dict[str, dict[str, Any]] = {
    "Imath": {},
    "OpenEXR": {"InputFile": None},
    "jsonschema": {"validate": lambda *_: None},
    "libarchive.read": {"fd_reader": None},
    "tqdm": {"tqdm": None},
}
"""Modules that the tree does not have, and what is used of them."""


def put_nothing_in_their_place() -> None:
    for name, members in UNUSED.items():
        sys.modules[name] = module = ModuleType(name)
        vars(module).update(members)
        sys.modules.setdefault(name.partition(".")[0], module)


def device(roi: list[int], **config: Any) -> Any:
    """As after `__init__`, which looks for a sensor."""
    from picamera2.devices.imx500 import imx500

    vars(imx500)["fcntl"] = SimpleNamespace(ioctl=lambda *_: 0)
    made = imx500.IMX500.__new__(imx500.IMX500)
    made.device_fd = None
    vars(made)["_IMX500__cfg"] = {"roi": libcamera.Rectangle(*roi), **config}
    return made


def read(case: dict[str, Any]) -> Any:
    """Its outputs as nested lists; boxes y0 x0 y1 x1 as x, y, width, height in a picture of that configuration."""
    imx500, picam2 = device(case["roi"]), SimpleNamespace(camera_configuration=lambda: case["configuration"])
    outputs = imx500.get_outputs(case["metadata"]) or []
    boxes = [imx500.convert_inference_coords(tuple(box), case["metadata"], picam2) for box in case["boxes"]]
    return {"outputs": [output.tolist() for output in outputs], "boxes": boxes}


def describe(case: dict[str, Any]) -> Any:
    """What we learn of a network, and of the part of the sensor that it sees once the camera runs."""
    from picamera2.devices.imx500 import NetworkIntrinsics

    config = {"intrinsics": NetworkIntrinsics(case["intrinsics"])} if case["intrinsics"] is not None else {}
    ours = Imx500(device(case["roi"], input_tensor_size=tuple(case["input_size"]), **config), "pets")
    ours.started()
    return {"network": asdict(ours.network), "seen": asdict(ours.outputs({}).seen)}


READERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {"read": read, "describe": describe}

if __name__ == "__main__":
    put_nothing_in_their_place()
    print(json.dumps([READERS[case["what"]](case) for case in json.load(sys.stdin)]))

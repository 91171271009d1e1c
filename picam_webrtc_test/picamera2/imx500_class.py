"""Runs inside the tree: Picamera2's own IMX500 reads outputs and places boxes, without its sensor.

Prints JSON: for each case of stdin, `outputs` as nested lists and `boxes` as x, y, width, height in the picture.
What the class imports for other purposes, its firmware's archive and pictures of its input, is replaced by nothing.
"""

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import libcamera

UNUSED: dict[str, tuple[str, ...]] = {
    "Imath": (),
    "OpenEXR": ("InputFile",),
    "jsonschema": (),
    "libarchive.read": ("fd_reader",),
    "tqdm": ("tqdm",),
}
"""Modules that the tree does not have, and what is imported from them."""


def put_nothing_in_their_place() -> None:
    for name, members in UNUSED.items():
        sys.modules[name] = module = ModuleType(name)
        vars(module).update(dict.fromkeys(members))
        sys.modules.setdefault(name.partition(".")[0], module)


def device(roi: list[int]) -> Any:
    """As after `__init__`, which looks for a sensor, and `set_inference_roi_abs`, which asks its driver."""
    from picamera2.devices.imx500 import IMX500

    made = IMX500.__new__(IMX500)
    made.device_fd = None
    vars(made)["_IMX500__cfg"] = {"roi": libcamera.Rectangle(*roi)}
    return made


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """`case` has metadata, the camera's configuration, the region of interest and boxes y0 x0 y1 x1."""
    imx500, picam2 = device(case["roi"]), SimpleNamespace(camera_configuration=lambda: case["configuration"])
    outputs = imx500.get_outputs(case["metadata"]) or []
    boxes = [imx500.convert_inference_coords(tuple(box), case["metadata"], picam2) for box in case["boxes"]]
    return {"outputs": [output.tolist() for output in outputs], "boxes": boxes}


if __name__ == "__main__":
    put_nothing_in_their_place()
    print(json.dumps([answer(case) for case in json.load(sys.stdin)]))

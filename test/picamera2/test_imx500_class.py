"""What we read of an IMX500, and where we place boxes, is what Picamera2's own class makes of it, and its stand-in.

The class is the real one of Picamera2 0.3.38, without a sensor. On hardware nothing of it was tried.
"""

import json
import subprocess
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.imx500 import Imx500, output_tensors
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.inference.findings import box_in_picture
from picam_webrtc.inference.sensor_placement import SensorPlacement
from picam_webrtc.settings import CameraSettings
from picam_webrtc.view import View
from picam_webrtc_test.camera.cnn_metadata import cnn_metadata
from picam_webrtc_test.camera.fake_imx500 import FakeImx500, write_network
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import FakeClock
from picam_webrtc_test.camera.libcamera_tables import IMX500
from picam_webrtc_test.camera.sensor_tensors import sensor_tensors
from picam_webrtc_test.install.trees import COMMAND_TIMEOUT_S, MAKING_TIMEOUT_S, command_in, tree_of

pytestmark = pytest.mark.timeout(MAKING_TIMEOUT_S + 60)

WHOLE = [0, 0, 4056, 3040]
BOXES = [[0.25, 0.25, 0.75, 0.75], [0.4, 0.1, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0], [0.45, 0.55, 0.5, 0.75]]
"""y0 x0 y1 x1, in fractions of what the network sees."""
ROUNDING_PX = 3
"""The class cuts to whole pixels at each of its five steps, some of them of a sensor mode of half the resolution."""


def answers_of_the_class(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    command = command_in(tree_of("trixie"), "python3", "-m", "picam_webrtc_test.picamera2.imx500_class")
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def configured(**settings: Any) -> tuple[FakePicamera2, View]:
    """A camera as libcamera's arithmetic configures it, and what its pictures show."""
    device = FakePicamera2(sensor=IMX500)
    source = Picamera2Source(
        CameraSettings.from_values({"frame_rate": 5.0, **settings}), FakeLibrary("imx500", device=device), FakeClock()
    )
    source.open()
    device.complete()
    frame_set = source.read(1)
    assert frame_set is not None
    assert frame_set.frame.view is not None
    return device, frame_set.frame.view


def case(device: FakePicamera2, boxes: list[list[float]], metadata: dict[str, Any]) -> dict[str, Any]:
    streams = {name: {"size": device.configuration[name]["size"]} for name in ("main", "raw")}
    return {
        "what": "read",
        "roi": WHOLE,
        "configuration": streams,
        "metadata": {"ScalerCrop": device.ipa.state.crops[0], **metadata},
        "boxes": boxes,
    }


def test_outputs_are_what_the_class_reads() -> None:
    generator = np.random.default_rng(7)
    networks = [
        sensor_tensors("cat"),
        sensor_tensors("astronaut"),
        [generator.random((3, 4, 5)).astype(np.float32), generator.random(1).astype(np.float32)],
    ]
    device, _ = configured()
    metadata = [cnn_metadata(outputs) for outputs in networks]
    theirs = answers_of_the_class([case(device, [], one) for one in metadata])

    for answer, one, outputs in zip(theirs, metadata, networks, strict=True):
        assert [tensor.array.tolist() for tensor in output_tensors(one)] == answer["outputs"]
        assert answer["outputs"] == [output.tolist() for output in outputs]


def test_boxes_are_where_the_class_puts_them() -> None:
    """In a picture that is not turned, of a network that sees all: the class knows no mirrors, and takes a part of the
    sensor for the whole.
    """
    sizes, crops = [(640, 480), (1280, 720), (2028, 1520)], ["", "2", "500,600,2000,1500"]
    cameras = [(size, *configured(width=size[0], height=size[1], crop=crop)) for size, crop in product(sizes, crops)]
    theirs = answers_of_the_class([case(device, BOXES, {}) for _, device, _ in cameras])

    seen = View((4056, 3040), (0, 0, 4056, 3040), (0, 0, 4056, 3040))
    for (size, _, shown), answer in zip(cameras, theirs, strict=True):
        placement = SensorPlacement.between(seen, shown, size)
        for (y0, x0, y1, x1), (x, y, width, height) in zip(BOXES, answer["boxes"], strict=True):
            box = box_in_picture((x0, y0, x1, y1), placement, size)
            assert box is not None
            ours = [box.x0, box.y0, box.x1, box.y1]
            assert ours == pytest.approx([x, y, x + width, y + height], abs=ROUNDING_PX)


@pytest.mark.parametrize(
    ("intrinsics", "input_size"),
    [
        (None, (320, 320)),
        ({"task": "classification"}, (224, 224)),
        (
            {
                "task": "object detection",
                "inference_rate": 30.0,
                "cpu": {"bbox_normalization": True, "bbox_order": "xy", "softmax": True, "post_processing": "nanodet"},
                "input_aspect_ratio": {"width": 1, "height": 1},
                "classes": {"labels": ["cat", "-", "dog"], "ignore_undefined": True},
            },
            (416, 416),
        ),
        ({"input_aspect_ratio": {"width": 4, "height": 4}}, (640, 360)),
        ({"input_aspect_ratio": {"width": 4, "height": 4}}, (353, 481)),
        ({"input_aspect_ratio": {"width": 4, "height": 3}}, (640, 480)),
    ],
    ids=["says nothing", "says little", "says all", "wide", "tall", "another shape"],
)
def test_a_network_is_described_as_the_stand_in_does(
    intrinsics: dict[str, Any] | None, input_size: tuple[int, int], tmp_path: Path
) -> None:
    given = {"what": "describe", "roi": WHOLE, "intrinsics": intrinsics, "input_size": input_size}
    (theirs,) = answers_of_the_class([given])
    network = write_network(tmp_path / "pets.rpk", [np.ones(3)], properties_of(intrinsics), input_size)
    ours = Imx500(FakeImx500(network, []), "pets")
    ours.started()

    assert theirs == json.loads(json.dumps({"network": asdict(ours.network), "seen": asdict(ours.outputs({}).seen)}))


def properties_of(intrinsics: dict[str, Any] | None) -> dict[str, Any] | None:
    """What `NetworkIntrinsics` tells of a network's description."""
    if intrinsics is None:
        return None
    cpu, classes = intrinsics.get("cpu", {}), intrinsics.get("classes", {})
    shape = intrinsics.get("input_aspect_ratio")
    return {
        "task": intrinsics.get("task"),
        "bbox_normalization": cpu.get("bbox_normalization"),
        "bbox_order": cpu.get("bbox_order"),
        "softmax": cpu.get("softmax"),
        "postprocess": cpu.get("post_processing"),
        "labels": classes.get("labels"),
        "ignore_dash_labels": classes.get("ignore_undefined"),
        "preserve_aspect_ratio": shape["width"] == shape["height"] if shape else None,
    }

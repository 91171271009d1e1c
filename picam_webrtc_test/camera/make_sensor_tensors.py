"""Makes `made_sensor_tensors.npz`, in place of recordings of a sensor.

    python -m picam_webrtc_test.camera.make_sensor_tensors

It runs models of `picam_webrtc.models` with LiteRT on pictures of scikit-image, each squeezed into the model's input as
the sensor does it, and puts what they give into the order of Picamera2's examples (0.3.36, examples/imx500/):

- `cat`: ssd_mobilenet_v2 on chelsea.png, as imx500_network_ssd_mobilenetv2_fpnlite_320x320_pp.rpk: boxes [100, 4] as
  y0 x0 y1 x1 in fractions, scores [100], classes [100], count [1]. The model has no post-processing: that is ours.
- `astronaut`: selfie_segmentation on astronaut.png, as imx500_network_deeplabv3plus.rpk: class numbers [256, 256].
"""

from dataclasses import dataclass

import cv2
import numpy as np

from picam_webrtc.frame import Frame
from picam_webrtc.inference.candidates import Candidates, suppress
from picam_webrtc.inference.model import Model
from picam_webrtc.inference.preprocess import Preprocessor, pixel_table
from picam_webrtc.inference.tasks import Task, recognise
from picam_webrtc.inference.tensors import image_input
from picam_webrtc.models import fetch, stored_path
from picam_webrtc_test.camera.cnn_metadata import Array
from picam_webrtc_test.camera.sensor_tensors import FILE
from picam_webrtc_test.inference.pictures import PICTURES

ROWS = 100
LOWEST_SCORE = 0.05
PERSON_FROM = 0.5
IOU = 0.5


@dataclass(frozen=True)
class Seen:
    """What a model made of a picture, and how that is read."""

    outputs: list[Array]
    task: Task


def look(model_name: str, picture: str) -> Seen:
    fetch(model_name)
    model = Model(stored_path(model_name))
    source = image_input(model.signature)
    assert source is not None
    task = recognise(model.signature, source)
    pixels = cv2.imread(str(PICTURES / picture))
    assert pixels is not None
    table = pixel_table(source.tensor, *task.normalization, given=False)
    Preprocessor(source, table, letterbox=False).write(Frame(pixels, "bgr8", 0, ""), model.input_view())
    return Seen(model.run(), task)


def boxes() -> list[Array]:
    seen = look("ssd_mobilenet_v2", "chelsea.png")
    found: Candidates = suppress(seen.task.decoder.decode(seen.outputs, LOWEST_SCORE), IOU, ROWS)
    columns = (found.boxes[:, [1, 0, 3, 2]], found.scores, found.class_ids)
    return [*(padded(column) for column in columns), np.array([len(found.scores)], np.float32)]


def padded(values: Array) -> Array:
    rows = np.zeros((ROWS, *values.shape[1:]), np.float32)
    rows[: len(values)] = values
    return rows


def mask() -> list[Array]:
    (scores,) = look("selfie_segmentation", "astronaut.png").outputs
    return [(scores[0, :, :, 0] >= PERSON_FROM).astype(np.float32)]


def main() -> None:
    made = {"cat": boxes(), "astronaut": mask()}
    arrays = {f"{name}_{place}": output for name, outputs in made.items() for place, output in enumerate(outputs)}
    np.savez_compressed(FILE, **arrays)  # type: ignore[arg-type]  # allow_pickle is no array
    print(f"{FILE.name}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()

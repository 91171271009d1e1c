"""Outputs of real models on real pictures, in the shapes that networks of the package imx500-models give on the sensor.

No sensor made them: `make_sensor_tensors.py` did, and says how.
"""

from pathlib import Path

import numpy as np

from picam_webrtc_test.camera.cnn_metadata import Array

FILE = Path(__file__).with_name("made_sensor_tensors.npz")


def sensor_tensors(name: str) -> list[Array]:
    """The outputs that are called so, in the sensor's order, without a batch."""
    with np.load(FILE) as file:
        return [file[key] for key in sorted(file.files) if key.startswith(f"{name}_")]

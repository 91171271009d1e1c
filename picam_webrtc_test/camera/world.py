"""Points of the world, a calibrated lens, and where a picture shows them: without anything of the package."""

import numpy as np

from picam_webrtc.camera.calibration import Calibration
from picam_webrtc.view import View
from picam_webrtc_test.camera.libcamera_tables import Sensor

Point = tuple[float, float, float]
Pixel = tuple[float, float]
Crop = tuple[int, int, int, int]

POINTS: tuple[Point, ...] = ((0.0, 0.0, 1.0), (0.11, -0.07, 1.2), (-0.2, 0.09, 0.9), (0.05, 0.12, 0.8))
"""In the frame of the camera as it sees without any turn: x right, y down, z forward [m]."""


def whole_sensor(sensor: Sensor, model: str = "plumb_bob") -> Calibration:
    """A lens that is a little off its middle, with radial and tangential distortion; a stereo pair's P and R."""
    width, height = sensor.pixel_array
    focal = 0.75 * width
    k = (focal, 0.0, width / 2 + 13.0, 0.0, focal * 1.01, height / 2 - 21.0, 0.0, 0.0, 1.0)
    angle = 0.02
    r = (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)
    p = (focal, 0.0, width / 2 + 4.0, -0.06 * focal, 0.0, focal, height / 2 - 7.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    d = {"plumb_bob": (-0.21, 0.08, 0.0031, -0.0023, 0.01), "equidistant": (-0.04, 0.01, 0.002, -0.001)}[model]
    crop = (0, 0, width, height)
    view = View(sensor.pixel_array, crop, crop)
    return Calibration(width, height, model, d, k, tuple(map(float, r)), p, view)


def project(calibration: Calibration, point: Point) -> Pixel:
    """As ROS defines plumb_bob and equidistant: REP 104's formulas, written out."""
    x, y = point[0] / point[2], point[1] / point[2]
    if calibration.distortion_model == "equidistant":
        k1, k2, k3, k4 = calibration.d
        radius = float(np.hypot(x, y)) or 1e-12
        angle = np.arctan(radius)
        bent = angle * (1 + k1 * angle**2 + k2 * angle**4 + k3 * angle**6 + k4 * angle**8)
        x, y = x * bent / radius, y * bent / radius
    else:
        k1, k2, p1, p2, k3 = calibration.d
        square = x * x + y * y
        radial = 1 + k1 * square + k2 * square**2 + k3 * square**3
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x),
            y * radial + p1 * (square + 2 * y * y) + 2 * p2 * x * y,
        )
    return calibration.k[0] * x + calibration.k[2], calibration.k[4] * y + calibration.k[5]


def project_rectified(calibration: Calibration, point: Point) -> Pixel:
    """P R X: where the point is in the rectified picture."""
    seen = np.reshape(calibration.p, (3, 4)) @ np.append(np.reshape(calibration.r, (3, 3)) @ np.array(point), 1.0)
    return seen[0] / seen[2], seen[1] / seen[2]


def followed(pixel: Pixel, crop: Crop, size: tuple[int, int], hflip: bool, vflip: bool, orientation: int) -> Pixel:
    """A pixel of the sensor's array in the picture: cropped, scaled to `size`, mirrored, then turned clockwise.

    Lengths are counted from the edges, half a pixel before the first pixel's centre.
    """
    left, top, crop_width, crop_height = crop
    across = (pixel[0] + 0.5 - left) / crop_width * size[0]
    down = (pixel[1] + 0.5 - top) / crop_height * size[1]
    across, down = (size[0] - across if hflip else across), (size[1] - down if vflip else down)
    width, height = size
    for _ in range(orientation // 90):  # what was at the left edge goes to the top, the bottom to the left
        across, down, width, height = height - down, across, height, width
    return across - 0.5, down - 0.5

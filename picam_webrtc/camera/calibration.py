"""A camera's calibration: where it is kept, what is in it, and what it is at another picture size.

The files are those of ROS's camera_calibration and camera_info_manager.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from picam_webrtc.errors import PicamWebrtcError

DEFAULT_URL = "file://${ROS_HOME}/camera_info/${NAME}.yaml"
SAME_SHAPE = 0.01
"""Aspect ratios closer than this are the same: sizes are rounded to whole pixels."""

MATRICES: Mapping[str, tuple[str, int, int]] = {
    "k": ("camera_matrix", 3, 3),
    "r": ("rectification_matrix", 3, 3),
    "p": ("projection_matrix", 3, 4),
}
"""Field of CameraInfo → its name in a file, rows, columns."""


class CalibrationError(PicamWebrtcError):
    """A calibration cannot be found, read, stored or used."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The numbers of sensor_msgs/CameraInfo, matrices row by row; K and P are in pixels of width x height."""

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]

    def scaled(self, width: int, height: int) -> "Calibration":
        """For the same view in another size: the rows of K and P that give x and y grow with the picture.

        Raises CalibrationError when the shape differs, because then the view does: a sensor mode crops.
        """
        x, y = width / self.width, height / self.height
        if abs(x / y - 1) > SAME_SHAPE:
            raise CalibrationError(
                f"calibrated at {self.width}x{self.height}, which has another shape than {width}x{height}: "
                "calibrate at the size in use"
            )
        return replace(self, width=width, height=height, k=_scaled_rows(self.k, x, y), p=_scaled_rows(self.p, x, y))

    def to_yaml(self, camera_name: str) -> str:
        content: dict[str, Any] = {
            "image_width": self.width,
            "image_height": self.height,
            "camera_name": camera_name,
            "distortion_model": self.distortion_model,
            "distortion_coefficients": {"rows": 1, "cols": len(self.d), "data": list(self.d)},
        }
        for field, (name, rows, columns) in MATRICES.items():
            content[name] = {"rows": rows, "cols": columns, "data": list(getattr(self, field))}
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None)


def _scaled_rows(matrix: tuple[float, ...], x: float, y: float) -> tuple[float, ...]:
    columns = len(matrix) // 3
    factors = [x] * columns + [y] * columns + [1.0] * columns
    return tuple(number * factor for number, factor in zip(matrix, factors, strict=True))


def parse(text: str) -> Calibration:
    """Raises CalibrationError naming what is missing or wrong."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CalibrationError(f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise CalibrationError("holds no calibration")
    matrices = {field: _matrix(content, name, rows * columns) for field, (name, rows, columns) in MATRICES.items()}
    return Calibration(
        width=_length(content, "image_width"),
        height=_length(content, "image_height"),
        distortion_model=str(content.get("distortion_model", "plumb_bob")),
        d=_matrix(content, "distortion_coefficients"),
        k=matrices["k"],
        r=matrices["r"],
        p=matrices["p"],
    )


def _length(content: Mapping[str, Any], name: str) -> int:
    length = content.get(name)
    if not isinstance(length, int) or length < 1:
        raise CalibrationError(f"{name} must be a positive number of pixels, not {length!r}")
    return length


def _matrix(content: Mapping[str, Any], name: str, size: int | None = None) -> tuple[float, ...]:
    matrix = content.get(name)
    data = matrix.get("data") if isinstance(matrix, dict) else None
    if not isinstance(data, list) or not all(isinstance(number, int | float) for number in data):
        raise CalibrationError(f"{name} has no list of numbers as its data")
    if size is not None and len(data) != size:
        raise CalibrationError(f"{name} has {len(data)} numbers, not {size}")
    return tuple(float(number) for number in data)


def resolve_url(
    url: str, camera_name: str, package_share: Callable[[str], Path], environment: Mapping[str, str] = os.environ
) -> Path:
    """The file behind a `camera_info_url`; "" means DEFAULT_URL. `package_share` finds a ROS package's files.

    Raises CalibrationError for a URL that is neither file:/// nor package://.
    """
    ros_home = environment.get("ROS_HOME") or str(Path.home() / ".ros")
    text = (url or DEFAULT_URL).replace("${NAME}", camera_name).replace("${ROS_HOME}", ros_home)
    match = re.fullmatch(r"(file|package)://(.*)", text, re.IGNORECASE)
    path = unquote(match[2]) if match else ""
    if match and match[1].lower() == "file" and path.startswith("/"):
        return Path(path)
    package, _, inside = path.partition("/")
    if match and match[1].lower() == "package" and package and inside:
        return package_share(package) / inside
    raise CalibrationError(f"camera_info_url '{url}' must be file:///path or package://package/path")


def load(path: Path) -> Calibration:
    """Raises CalibrationError."""
    try:
        return parse(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path}: {error}") from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error


def store(path: Path, calibration: Calibration, camera_name: str) -> None:
    """Write the file as a whole or not at all. Raises CalibrationError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(calibration.to_yaml(camera_name))
        temporary.replace(path)
    except OSError as error:
        raise CalibrationError(f"{path}: {error.strerror or error}") from error

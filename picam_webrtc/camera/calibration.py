"""A camera's calibration: where it is kept, what is in it, and what it is for another picture of the same camera.

The files are those of ROS's camera_calibration and camera_info_manager, with one entry more where it is known:
`sensor_view`, what the calibrated pictures showed of the sensor. Other readers pass over it.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.paths import PackageShare, resolved
from picam_webrtc.view import QUARTER_TURNS, Matrix, Rectangle, Size, View

DEFAULT_URL = "file://${ROS_HOME}/camera_info/${NAME}.yaml"
SAME_SHAPE = 0.01
"""Aspect ratios closer than this are the same: sizes are rounded to whole pixels."""
VIEW = "sensor_view"
TANGENTIAL = {"plumb_bob": (2, 3), "rational_polynomial": (2, 3)}
"""Distortion model → where in D its p1 and p2 are, which know left from right and up from down; what is radial does
not, and is the same however a picture is cropped, scaled, mirrored or turned."""

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
    """The numbers of sensor_msgs/CameraInfo, matrices row by row; K and P are in pixels of width x height.

    `view` is what the calibrated picture shows of the sensor; None where nobody knows.
    """

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]
    view: View | None = None

    def scaled(self, width: int, height: int) -> "Calibration":
        """For the same view in another size.

        Raises CalibrationError when the shape differs, because then the view does.
        """
        x, y = width / self.width, height / self.height
        if abs(x / y - 1) > SAME_SHAPE:
            raise CalibrationError(
                f"calibrated at {self.width}x{self.height}, which has another shape than {width}x{height}: "
                "calibrate at the size in use"
            )
        scale = np.array([[x, 0, 0.5 * x - 0.5], [0, y, 0.5 * y - 0.5], [0, 0, 1]])
        return self._mapped(scale, np.eye(2), (width, height), self.view)

    def seen_in(self, view: View, width: int, height: int) -> "Calibration":
        """For a picture of that size [px] that shows `view` of the same sensor.

        The camera's frame turns with the picture, so that x goes right and y down in it (REP 103). A mirrored
        picture of a camera that was calibrated without mirror has a negative focal length: a frame cannot be mirrored.
        Raises CalibrationError where the geometry is not known, or is that of another sensor.
        """
        if self.view is None:
            raise CalibrationError(
                f"calibrated at {self.width}x{self.height} in a sensor mode and crop that are not known: "
                f"calibrate at {width}x{height}, at the whole sensor's {'x'.join(map(str, view.pixel_array))}, or "
                "with set_camera_info of this node, which notes them"
            )
        if (view, width, height) == (self.view, self.width, self.height):
            return self
        if self.view.pixel_array != view.pixel_array:
            sizes = ("x".join(map(str, array)) for array in (self.view.pixel_array, view.pixel_array))
            raise CalibrationError("calibrated with a sensor of {} pixels, and this one has {}".format(*sizes))
        pixels = view.pixels((width, height)) @ np.linalg.inv(self.view.pixels((self.width, self.height)))
        return self._mapped(pixels, _frame_turn(self.view, view), (width, height), view)

    def _mapped(self, pixels: Matrix, turn: Matrix, size: Size, view: View | None) -> "Calibration":
        """With `pixels`, 3 x 3, from old to new ones, and `turn`, 2 x 2 orthogonal, of the camera's frame."""
        frame, homogeneous = np.eye(3), np.eye(4)
        frame[:2, :2] = homogeneous[:2, :2] = turn
        k, r, p = (np.reshape(numbers, (3, -1)) for numbers in (self.k, self.r, self.p))
        return replace(
            self,
            width=size[0],
            height=size[1],
            d=_turned_distortion(self.distortion_model, self.d, turn),
            k=_numbers(pixels @ k @ frame.T),
            r=_numbers(frame @ r @ frame.T),
            p=_numbers(pixels @ p @ homogeneous.T),
            view=view,
        )

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
        if self.view is not None:
            content[VIEW] = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self.view).items()}
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None)


def _frame_turn(calibrated: View, view: View) -> Matrix:
    """2 x 2: how the camera's frame turns with the picture, from the calibrated one to that of `view`.

    A camera that was calibrated in a mirrored picture has a mirrored frame, which is undone with the mirror.
    """
    size = (2, 2)  # any will do: scales do not count
    moved = view.pixels(size) @ np.linalg.inv(calibrated.pixels(size))
    turn = np.sign(np.round(moved[:2, :2] / np.abs(moved[:2, :2]).max(axis=1, keepdims=True)))
    if view.mirrored and not calibrated.mirrored:
        turn = _rotation(view.turn - calibrated.turn)
    return np.asarray(turn)


def _rotation(degrees: int) -> Matrix:
    """2 x 2: clockwise in a picture, whose y goes down."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees % 360]
    return np.array([[cosine, -sine], [sine, cosine]], np.float64)


def _turned_distortion(model: str, d: tuple[float, ...], turn: Matrix) -> tuple[float, ...]:
    """(p2, p1) is a vector in the picture's plane: the tangential shift is r² (p2, p1) + 2 (x, y) · (p2 x + p1 y)."""
    if model not in TANGENTIAL or len(d) <= max(TANGENTIAL[model]) or np.array_equal(turn, np.eye(2)):
        return d
    first, second = TANGENTIAL[model]
    turned = turn @ (d[second], d[first])
    numbers = list(d)
    numbers[second], numbers[first] = map(float, turned)
    return tuple(numbers)


def _numbers(matrix: Matrix) -> tuple[float, ...]:
    return tuple(float(number) + 0.0 for number in matrix.reshape(-1))  # -0.0 + 0.0 is 0.0


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
        view=_view(content.get(VIEW)),
    )


def _length(content: Mapping[str, Any], name: str) -> int:
    length = content.get(name)
    if not isinstance(length, int) or length < 1:
        raise CalibrationError(f"{name} must be a positive number of pixels, not {length!r}")
    return length


def _matrix(content: Mapping[str, Any], name: str, size: int | None = None) -> tuple[float, ...]:
    matrix = content.get(name)
    data = matrix.get("data") if isinstance(matrix, dict) else None
    if not isinstance(data, list):
        raise CalibrationError(f"{name} has no list of numbers as its data")
    numbers = tuple(_number(name, number) for number in data)
    if size is not None and len(numbers) != size:
        raise CalibrationError(f"{name} has {len(numbers)} numbers, not {size}")
    return numbers


def _number(name: str, value: object) -> float:
    """YAML 1.1 takes 1e-05, as Python and OpenCV write it, for a text: its numbers have a dot."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or not isfinite(number):
        raise CalibrationError(f"{name} has no list of numbers as its data: {value!r} is none")
    return number


def _view(content: object) -> View | None:
    if content is None:
        return None
    try:
        entries: dict[str, Any] = dict(content)  # type: ignore[call-overload]
        width, height = map(int, entries["pixel_array"])
        flips = bool(entries["hflip"]), bool(entries["vflip"])
        view = View((width, height), _crop(entries["crop"]), _crop(entries["whole"]), *flips, entries["orientation"])
    except (TypeError, ValueError, KeyError) as error:
        raise CalibrationError(f"{VIEW} is not understood: {error}") from error
    if min(width, height) < 1 or view.orientation not in QUARTER_TURNS:
        raise CalibrationError(f"{VIEW} is not understood: {entries}")
    return view


def _crop(numbers: Any) -> Rectangle:
    x, y, width, height = map(int, numbers)
    if width < 1 or height < 1:
        raise ValueError(f"a crop of {width}x{height} pixels")
    return x, y, width, height


def resolve_url(
    url: str, camera_name: str, package_share: PackageShare, environment: Mapping[str, str] = os.environ
) -> Path:
    """The file behind a `camera_info_url`; "" means DEFAULT_URL. A path is taken as well.

    Raises CalibrationError for a URL that is neither file:/// nor package://.
    """
    ros_home = environment.get("ROS_HOME") or str(Path.home() / ".ros")
    text = (url or DEFAULT_URL).replace("${NAME}", camera_name).replace("${ROS_HOME}", ros_home)
    scheme, separator, rest = text.partition("://")
    relative = scheme.lower() == "file" and not rest.startswith(("/", "~", "$"))
    if separator and (scheme.lower() not in ("file", "package") or relative):
        raise CalibrationError(f"camera_info_url '{url}' must be file:///path or package://package/path")
    try:
        return Path(resolved(f"{scheme.lower()}://{rest}" if separator else text, package_share))
    except LookupError as error:
        raise CalibrationError(f"camera_info_url '{url}': {error}") from error


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

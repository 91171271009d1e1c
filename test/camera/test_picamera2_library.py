"""What is asked of Picamera2's own module, in words that every release of it knows."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from picam_webrtc.camera.picamera2_library import TUNING_VARIABLE, InstalledLibrary
from picam_webrtc.errors import SettingError
from picam_webrtc.frame import ColorSpace


class Picamera2:
    """`load_tuning_file`, `global_camera_info` and the constructor, as in 0.3.12 to 0.3.38."""

    opened: ClassVar[list[tuple[int, str | None, str | None]]] = []

    def __init__(self, camera_num: int = 0, verbose_console: Any = None, tuning: str | None = None) -> None:
        self.opened.append((camera_num, tuning, os.environ.get(TUNING_VARIABLE)))

    @staticmethod
    def load_tuning_file(tuning_file: str) -> dict[str, Any]:
        if os.path.basename(tuning_file) != "imx219_noir.json":
            raise RuntimeError("Tuning file not found")
        return {"version": 2.0}

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [{"Id": "/base/i2c@1/imx219", "Model": "imx219"}]


class OldMappedArray:
    """Before 0.3.13."""

    def __init__(self, request: Any, stream: str, reshape: bool = True) -> None:
        self.array = np.zeros(4, np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class MappedArray(OldMappedArray):
    def __init__(self, request: Any, stream: str, reshape: bool = True, write: bool = True) -> None:
        assert not write
        super().__init__(request, stream, reshape)


class Space:
    """libcamera.ColorSpace: each of its makers gives a new object; equal ones are alike."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


LIBCAMERA = SimpleNamespace(
    ColorSpace=SimpleNamespace(
        Smpte170m=lambda: Space("Smpte170m"), Rec709=lambda: Space("Rec709"), Sycc=lambda: Space("Sycc")
    )
)


def library(mapped_array: type = MappedArray) -> InstalledLibrary:
    return InstalledLibrary(Picamera2, mapped_array, LIBCAMERA)


@pytest.mark.parametrize("mapped_array", [OldMappedArray, MappedArray])
def test_memory_is_mapped_for_reading_where_a_release_can(mapped_array: type) -> None:
    with library(mapped_array).mapped(None, "main") as pixels:
        assert pixels.shape == (4,)


def test_a_tuning_is_in_the_environment_before_libcamera_looks_for_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TUNING_VARIABLE, "")
    one = library()
    one.open(0)
    assert Picamera2.opened[-1][:2] == (0, None)
    one.use_tuning("imx219_noir.json")
    path = os.environ[TUNING_VARIABLE]
    one.use_tuning("imx219_noir.json")  # asked again at each look for the camera
    one.open(0)

    assert Picamera2.opened[-1] == (0, path, path)
    assert json.loads(Path(path).read_text()) == {"version": 2.0}
    assert os.environ[TUNING_VARIABLE] == path


def test_a_tuning_that_is_not_there_is_a_bad_parameter() -> None:
    with pytest.raises(SettingError, match=r"'tuning_file' = 'other.json': Tuning file not found; give the name"):
        library().use_tuning("other.json")


@pytest.mark.parametrize("color_space", list(ColorSpace))
def test_colour_spaces_go_to_libcamera_and_come_back(color_space: ColorSpace) -> None:
    one = library()

    assert one.color_space_of(one.color_space(color_space)) is color_space
    assert one.color_space_of(Space("Raw")) is None
    assert one.color_space_of(None) is None


def test_a_sensor_without_high_dynamic_range_says_so() -> None:
    with pytest.raises(SettingError, match="'hdr' = 'on': only Camera Module 3"):
        library().set_sensor_hdr("/base/i2c@1/imx219", True)

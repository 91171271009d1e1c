"""Real models, brought once by our own command, and real pictures."""

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from picam_webrtc.frame import Frame
from picam_webrtc.models import fetch, stored_path
from picam_webrtc_test.inference.pictures import PICTURES


@pytest.fixture(scope="session")
def fetched() -> Callable[[str], Path]:
    """The file of a model that is known by name."""

    def path_of(name: str) -> Path:
        fetch(name)
        return stored_path(name)

    return path_of


@pytest.fixture(scope="session")
def picture() -> Callable[[str], Frame]:
    """A picture that scikit-image brings, such as `chelsea.png`, as a bgr8 frame."""

    def frame_of(name: str) -> Frame:
        pixels = cv2.imread(str(PICTURES / name))
        assert pixels is not None
        return Frame(pixels, "bgr8", 1_000_000_007, "camera_optical_frame")

    return frame_of

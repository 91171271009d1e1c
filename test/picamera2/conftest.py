"""The tree with the real Picamera2, made once, and the file by which a test makes its camera fail."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TREE = Path(os.environ.get("PICAM_WEBRTC_TREE") or Path.home() / ".cache" / "picam_webrtc" / "trixie")


@pytest.fixture(scope="session")
def tree() -> Path:
    if os.geteuid() != 0:
        pytest.skip("not root: the tree for the real Picamera2 cannot be made")
    subprocess.run([str(HERE / "make-tree"), str(TREE)], check=True, timeout=360)
    return TREE


@pytest.fixture
def fault_file() -> Iterator[Path]:
    """In the shared memory, which both sides see."""
    path = Path("/dev/shm") / f"virtual-camera-{uuid.uuid4()}"  # noqa: S108 - no other place is shared with the tree
    yield path
    path.unlink(missing_ok=True)

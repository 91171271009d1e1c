"""The package as install.sh makes it on Debian 12 and 13, with their own numpy and OpenCV, up to a viewer.

Debian 12 has no ROS 2 there and gets it from wheels. On Debian 13, wheels in /opt/ros/jazzy stand in for that of apt.
"""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import skimage

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.install.trees import MAKING_TIMEOUT_S, process_in, run_in, tree_of
from picam_webrtc_test.viewer import viewer

pytestmark = [pytest.mark.ros, pytest.mark.timeout(MAKING_TIMEOUT_S + 60)]

SYSTEMS_OWN = {
    "bookworm": {"numpy": "1.24.2", "cv2": "4.6.0"},
    "trixie": {"numpy": "2.2.4", "cv2": "4.10.0", "av": "14.2.0", "aiohttp": "3.11.16"},
}
"""Debian release → Python modules of its own packages, with their versions."""
ROS_IS_IN = {"bookworm": "/srv/ros2_ws/src/picam_webrtc/.venv/", "trixie": "/opt/ros/jazzy/"}
FRAMES = 30
RESULT_TIMEOUT_S = 30.0


@pytest.fixture(params=sorted(SYSTEMS_OWN))
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(suite: str) -> Path:
    return tree_of(suite)


@pytest.fixture
def portrait() -> Iterator[Path]:
    """A picture with a face, in the shared memory, which the trees see too."""
    path = Path("/dev/shm") / f"portrait-{uuid.uuid4()}.png"  # noqa: S108 - no other place is shared with a tree
    cv2.imwrite(str(path), cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR))
    yield path
    path.unlink()


def modules(tree: Path, *names: str) -> dict[str, tuple[str, str]]:
    """Version and file of each module, as the environment's interpreter imports it."""
    code = f"""
import importlib, json
found = [importlib.import_module(name) for name in {names!r}]
print(json.dumps([(getattr(module, "__version__", ""), module.__file__) for module in found]))
"""
    return dict(zip(names, json.loads(run_in(tree, "python3", "-c", code)), strict=True))


def test_the_systems_own_packages_stay(tree: Path, suite: str) -> None:
    found = modules(tree, *SYSTEMS_OWN[suite])

    assert {name: version for name, (version, _) in found.items()} == SYSTEMS_OWN[suite]
    assert {file.split("/dist-packages/")[0] for _, file in found.values()} == {"/usr/lib/python3"}


def test_ros_is_that_of_the_machine_or_else_of_the_wheels(tree: Path, suite: str) -> None:
    (_, file) = modules(tree, "rclpy")["rclpy"]

    assert file.startswith(ROS_IS_IN[suite])


def test_a_second_run_needs_no_network(tree: Path) -> None:
    printed = run_in(tree, "unshare", "--net", "./install.sh")

    assert "Everything is installed." in printed


async def test_a_viewer_gets_frames_and_what_was_found_in_them(tree: Path, portrait: Path) -> None:
    parameters: dict[str, ParameterValue] = {
        "source": "video_file", "video_file": str(portrait), "width": 512, "height": 512,
        "model": "face_detection", "port": 0,
    }  # fmt: skip
    with process_in(tree, ["python3", "-m", "picam_webrtc"], parameters) as process:
        url = process.wait_for_line(r"The page is at (http://\S+)")[1]
        async with viewer(url) as watching:
            labels = asyncio.get_running_loop().create_future()
            channel = watching.connection.createDataChannel("metadata", ordered=False, maxRetransmits=0)

            @channel.on("message")
            def _learn(text: str) -> None:
                message = json.loads(text)
                if message["type"] == "detections" and message["items"] and not labels.done():
                    labels.set_result([item["label"] for item in message["items"]])

            await watching.connect_by_whep()
            frames = [await watching.next_frame() for _ in range(FRAMES)]
            found = await asyncio.wait_for(labels, RESULT_TIMEOUT_S)

        assert {(frame.width, frame.height) for frame in frames} == {(512, 512)}
        assert found == ["face"]
        assert process.stop() == 0


@pytest.mark.parametrize("how", ["", "--symlink-install"])
def test_what_colcon_built_starts_with_the_environment_that_install_sh_made(how: str) -> None:
    """By the system's Python and its colcon, as on a robot; nothing is activated. The executable needs all."""
    script = f"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
colcon --log-base /tmp/log build --build-base /tmp/build --install-base /tmp/install {how}
. /tmp/install/setup.bash
exec /tmp/install/picam_webrtc/lib/picam_webrtc/picam_webrtc --ros-args -p source:=webcam
"""
    with process_in(tree_of("trixie"), ["bash", "-ec", script], {}) as process:
        process.wait_for_line("'source' = 'webcam': must be one of", timeout_s=60)

        assert process.wait() == 1

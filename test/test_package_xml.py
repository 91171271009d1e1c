"""package.xml names what rosdep can bring, in a version that runs, wherever the package is supported."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from picam_webrtc_test.imports import MODULES, ROS, imports_of

ROOT = Path(__file__).parents[1]
PACKAGE_XML = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 - our own file

USED_WHERE_INSTALLED = {"cv_bridge", "vision_msgs"}
COMES_WITH_RCLPY = {"lifecycle_msgs"}

ROS_KEYS = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "rcl_interfaces", "builtin_interfaces",
    "ament_index_python", "launch", "launch_ros", "ros2launch", "launch_testing",
}  # fmt: skip
"""In distribution.yaml of jazzy, kilted and lyrical (ros/rosdistro of 2026-08-22), and all of ros-base."""

SYSTEM_KEYS = {
    "python3-numpy": "setup.py's bound is Debian 12's version; the system's OpenCV needs the same one",
    "python3-opencv": "4.6 on Debian 12 and Ubuntu 24.04, 4.10 on Debian 13: all run",
    "python3-yaml": "6.0 on Debian 12",
    "python3-venv": "install.sh makes an environment",
    "python3-hypothesis": "tests alone",
    "python3-jsonschema": "tests alone",
    "python3-pytest": "tests alone",
    "python3-pytest-asyncio": "tests alone",
    "python3-pytest-timeout": "tests alone",
    "python3-skimage": "tests alone: pictures",
}
"""Key of rosdep/python.yaml (ros/rosdistro of 2026-08-22), for every Debian and Ubuntu → why it may stay."""

BRINGS_WHAT_DOES_NOT_RUN = {
    "python3-aiortc": "1.4 on Debian 12, 1.6 on Ubuntu 24.04, 1.11 on Debian 13; 1.14 is needed",
    "python3-aiohttp": "3.8 on Debian 12, which has no web.AppKey",
    "python3-cryptography": "38 on Debian 12, 41 on Ubuntu 24.04, 43 on Debian 13; aiortc needs 44",
    "python3-prometheus-client": "0.16 on Debian 12; 0.19 is needed",
}
HAS_NO_KEY = {"python3-av", "python3-ifaddr", "python3-picamera2", "python3-simplejpeg"}


def keys(*kinds: str) -> set[str]:
    return {str(element.text) for kind in kinds for element in PACKAGE_XML.findall(kind)}


def test_every_key_is_one_that_rosdep_knows_and_that_brings_what_runs() -> None:
    named = {str(element.text) for element in PACKAGE_XML.iter() if element.tag.endswith("depend")}

    assert named == ROS_KEYS | SYSTEM_KEYS.keys()
    assert not named & (BRINGS_WHAT_DOES_NOT_RUN.keys() | HAS_NO_KEY | USED_WHERE_INSTALLED)


def test_every_ros_package_that_is_imported_is_named() -> None:
    imported = {name.split(".")[0] for module in MODULES for name in imports_of(module)}

    assert imported & ROS - USED_WHERE_INSTALLED - COMES_WITH_RCLPY <= keys("exec_depend")


@pytest.mark.parametrize("package", sorted(USED_WHERE_INSTALLED))
def test_what_is_used_where_it_is_installed_is_imported_with_its_absence_in_mind(package: str) -> None:
    for module in MODULES:
        text = module.read_text()
        for line in re.finditer(rf"^( *)(?:import|from) {package}\b", text, re.MULTILINE):
            assert line[1], f"{module} imports {package} outside of a try"

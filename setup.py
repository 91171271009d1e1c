"""ament_python packaging, for colcon and pip alike."""

from glob import glob
from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

PACKAGE = "picam_webrtc"

DEPENDENCIES = run_path(str(Path(__file__).parent / PACKAGE / "dependencies.py"))["DEPENDENCIES"]
EXTRAS = {one.extra: [one.requirement] for one in DEPENDENCIES if one.extra}

VENV = Path(__file__).resolve().parent / ".venv"  # colcon calls a link to this file in its own folder

ROS_WHEELS = ("rclpy", "rmw-fastrtps-cpp", "sensor-msgs", "std-msgs", "std-srvs", "diagnostic-msgs")
"""ROS 2 for a machine without it: x86-64 only. A robot has its own from apt or source."""

ROS_GENERATORS = {
    "jazzy": ("ament-cmake-gmock", "ament-cmake-gtest", "ament-cmake-pytest", "ament-cmake-ros", "python-cmake-module"),
    "kilted": ("ament-cmake-ros-core",),
}
ROS_GENERATORS_OF_ALL = (
    *("ament-cmake", "ament-cmake-include-directories", "ament-package", "geometry-msgs"),
    *("rosidl-core-generators", "rosidl-default-generators"),
)
"""What makes bindings of messages beside those wheels: tests build vision_msgs, which has no wheel."""


def ros_wheels(distribution: str, *names: str) -> list[str]:
    return [f'ros-{distribution}-{name}; platform_machine == "x86_64"' for name in names]


def tested_ros(distribution: str) -> list[str]:
    wheels = (*ROS_WHEELS, *ROS_GENERATORS_OF_ALL, *ROS_GENERATORS[distribution])
    return ["catkin_pkg", *ros_wheels(distribution, *wheels)]


def venv_python() -> list[str]:
    """A file that names the interpreter of this folder's environment, for the executables that colcon copies elsewhere.

    Written here, since colcon calls this file and knows nothing of the environment.
    """
    python, note = VENV / "bin" / "python3", VENV / "venv_python"
    if not python.exists():
        return []
    if not note.exists() or note.read_text() != f"{python}\n":
        note.write_text(f"{python}\n")
    return [".venv/venv_python"]


setup(
    name=PACKAGE,
    version="0.1.0",
    description="Raspberry Pi camera frames in the ROS 2 graph, through a TFLite model, and onto browsers by WebRTC",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={f"{PACKAGE}.web": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", glob("launch/*.launch.py")),
        (f"share/{PACKAGE}/config", glob("config/*")),
        # `ros2 run` and `ros2 launch` look here, where pip puts no console scripts.
        (f"lib/{PACKAGE}", [*sorted(glob("resource/executables/*")), *venv_python()]),
    ],
    python_requires=">=3.11",
    install_requires=[
        "setuptools",
        *(one.requirement for one in DEPENDENCIES if not one.extra),
    ],
    extras_require={
        **EXTRAS,
        "ros-wheels": ros_wheels("jazzy", *ROS_WHEELS),
        **{f"test-ros-{distribution}": tested_ros(distribution) for distribution in ROS_GENERATORS},
        "test": [
            "colcon-common-extensions",
            "coverage>=7.4",
            "hypothesis>=6.100",
            "jsonschema>=4.18",
            "mcap>=1.2",
            "mcap-ros2-support>=0.5",
            "mypy>=1.10",
            "playwright>=1.45",
            "pytest>=8",
            "pytest-asyncio>=0.24",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ros-domain-coordinator",
            "ruff>=0.5",
            "scikit-image>=0.22",
            *EXTRAS["jpeg"],
            "types-PyYAML",
        ],
    },
    zip_safe=False,
)

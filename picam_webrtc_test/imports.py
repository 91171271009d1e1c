"""What the package's modules import."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "picam_webrtc"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROS = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "vision_msgs", "rcl_interfaces",
    "builtin_interfaces", "cv_bridge", "ament_index_python", "lifecycle_msgs",
}  # fmt: skip


def imports_of(module: Path) -> Iterator[str]:
    """Every imported name, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def matches(name: str, library: str) -> bool:
    return name == library or name.startswith(library + ".")

"""Where the files of ROS packages are, our own among them."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

PACKAGE = "picam_webrtc"


def package_share(package: str) -> Path:
    """Raises LookupError for a package that is not there."""
    if package == PACKAGE:
        return share_directory()
    try:
        return Path(get_package_share_directory(package))
    except (OSError, ValueError, PackageNotFoundError) as error:
        raise LookupError(f"there is no ROS package {package}") from error


def share_directory() -> Path:
    """Where launch/ and config/ are: installed by ament or pip, else the source tree."""
    try:
        return Path(get_package_share_directory(PACKAGE))
    except (OSError, PackageNotFoundError):  # not installed, or no ament environment
        return Path(__file__).parents[3]

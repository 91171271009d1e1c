"""Paths as people write them, `~`, `$HOME`, relative or `package://`, for all parameters that are declared as paths."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from picam_webrtc.declaration import PathKind, Settings
from picam_webrtc.errors import SettingError

S = TypeVar("S", bound=Settings)

PackageShare = Callable[[str], Path]
"""Where the files of a ROS package are. Raises LookupError where there is no such package."""
PACKAGE_SCHEME, FILE_SCHEME = "package://", "file://"


def with_paths(settings: S, package_share: PackageShare) -> S:
    """`settings` with an absolute path for each one that is written. Raises SettingError."""
    found: dict[str, str] = {}
    for declared in settings.declarations():
        text = getattr(settings, declared.name)
        if declared.param.path is None or not text:
            continue
        try:
            found[declared.name] = resolved(text, package_share, declared.param.path)
        except LookupError as error:
            raise SettingError(declared.name, text, str(error)) from error
    return replace(settings, **found)


def resolved(text: str, package_share: PackageShare, kind: PathKind = PathKind.PATH) -> str:
    """The absolute path that `text` means; a name that is no file in the working directory stays as it is.

    A variable that is not set stays too, so that the complaint about the file shows it. Raises LookupError.
    """
    if text.startswith(PACKAGE_SCHEME):
        package, _, inside = unquote(text.removeprefix(PACKAGE_SCHEME)).partition("/")
        if not package or not inside:
            raise LookupError("must be package://package/path")
        return str(package_share(package) / inside)
    if text.startswith(FILE_SCHEME):
        text = unquote(text.removeprefix(FILE_SCHEME))
    path = os.path.expanduser(os.path.expandvars(text))
    if kind is PathKind.PATH_OR_NAME and "/" not in path and not Path(path).is_file():
        return path
    return str(Path.cwd() / path)

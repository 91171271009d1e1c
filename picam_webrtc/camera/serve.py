"""The capture process: Picamera2 under the system's Python, for a camera_node under another one.

    python3 -I serve.py DESCRIPTOR

DESCRIPTOR is the connection to camera_node (see protocol.py): a socket pair's other end where camera_node started this,
3 where systemd did. This file needs no installation and no PYTHONPATH, which would bring libraries that were built for
another Python: it finds the package that it lies in, and that alone.
"""

import faulthandler
import signal
import socket
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def find_package() -> None:
    """Make `picam_webrtc` importable without its folder's neighbours."""
    folder = Path(__file__).resolve().parents[1]
    found = spec_from_file_location(folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if found is None or found.loader is None:
        raise ImportError(f"{folder} is no package")
    sys.modules[folder.name] = package = module_from_spec(found)
    found.loader.exec_module(package)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # closes the camera
    faulthandler.enable()
    from picam_webrtc.camera.capture_service import CaptureService
    from picam_webrtc.camera.hang_guard import HangGuard
    from picam_webrtc.camera.protocol import Link
    from picam_webrtc.errors import PicamWebrtcError

    try:
        connection = socket.socket(fileno=int(arguments[0]))
        CaptureService(Link(connection), HangGuard()).run()
    except (IndexError, ValueError, OSError, PicamWebrtcError) as error:
        print(
            f"picam_webrtc: usage: python3 -I serve.py DESCRIPTOR, of a connection to camera_node ({error})",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    find_package()
    raise SystemExit(main(sys.argv[1:]))

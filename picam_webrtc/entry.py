"""How every executable starts: what has to be ahead of the imports of rclpy and the rest, which take most of a second.

`ros2 run picam_webrtc NAME` and `python -m picam_webrtc NAME` both come here.
"""

from __future__ import annotations  # for Pythons that are too old for the rest

import os
import shlex
import sys
import traceback
from importlib import import_module

from picam_webrtc import dependencies
from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.process import signals
from picam_webrtc.ros.process.memory import keep_image_buffers

EXECUTABLES = {
    "picam_webrtc": "picam_webrtc.ros.composed",
    "camera_node": "picam_webrtc.ros.camera_node",
    "inference_node": "picam_webrtc.ros.inference_node",
    "webrtc_node": "picam_webrtc.ros.webrtc_node",
    "add_streams": "picam_webrtc.ros.streams.add_streams",
    "record": "picam_webrtc.ros.recording.record",
    "list_cameras": "picam_webrtc.camera.list_cameras",
    "doctor": "picam_webrtc.doctor.__main__",
}
"""Each name of an executable and the module whose `main` it calls, which returns the exit code."""
PACKAGE = "picam_webrtc"
DOCTOR = f"{shlex.quote(sys.executable)} -m {PACKAGE}.doctor"


def run(name: str) -> int:
    """Run an executable; its exit code."""
    signals.end_at_once()
    if "AMENT_PREFIX_PATH" not in os.environ:  # ROS from wheels has no setup.bash; without ROS it does no harm
        os.environ["AMENT_PREFIX_PATH"] = sys.prefix
    # Loading rclpy starts threads, each of which takes an arena of its own.
    keep_image_buffers()
    try:
        dependencies.check(dependencies.NEEDS.get(name, ()))
        return int(import_module(EXECUTABLES[name]).main())
    except PicamWebrtcError as error:
        print(f"{name}: {error}", file=sys.stderr)  # there is no node yet that could say it
    except ImportError as error:
        foreign = _foreign_module(error)
        if not foreign:
            raise
        said = " ".join(str(error).split())
        print(f"{name}: {foreign} cannot be imported: {said}; {DOCTOR} tells what to do", file=sys.stderr)
    return 1


def _foreign_module(error: ImportError) -> str:
    """The package whose import fails, by the first code in it that ran, else by the name that was asked for.

    "" for a fault of our own.
    """
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    ran = (str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame in frames)
    asked_for = (error.name or "").partition(".")[0]
    ours = {PACKAGE, "__main__", "", *sys.stdlib_module_names}
    return next((name for name in (*ran, asked_for) if name not in ours), "")

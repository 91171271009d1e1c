"""A capture process as it is, on a stand-in for Picamera2: `python3 -I serve_fake.py MODELS FAULT_FILE DESCRIPTOR`.

It finds the package as serve.py does, and can import nothing but that, the standard library and numpy. FAULT_FILE says
what is to go wrong: see `PacedPicamera2`.
"""

import ctypes
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = sys.stdlib_module_names | {"numpy", "picam_webrtc", "picam_webrtc_test", "serve"}
FRAME_RATE = 30.0
HANG_S = 60
OTHER_CONFIGURATION: dict[str, dict[str, Any]] = {
    "main": {"format": "NV12", "size": (128, 96), "stride": 192},
    "": {"colour_space": "Rec709"},
}


class NothingElse:
    """An importer before all others: a clean system has numpy, and nothing else of ours or of the tests'."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name.split(".")[0] not in ALLOWED:
            raise ImportError(f"a clean system has no {name}")
        return None


def load(name: str, file: Path, folder: Path | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(folder)] if folder else None
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told_to(device: Any, library: Any) -> dict[str, Any]:
    """All that a stand-in for Picamera2 was told: its configuration, its controls, and what was said before."""
    told = {"Configured": dict(device.configuration), "Told": list(device.told)}
    return {**told, "Tuning": device.tuning, "Hdr": library.hdr[-1:]}


def main(models: str, fault_file: Path, descriptor: str) -> int:
    sys.meta_path.insert(0, NothingElse())
    serve = load("serve", ROOT / "picam_webrtc" / "camera" / "serve.py")
    serve.find_package()
    load("picam_webrtc_test", ROOT / "picam_webrtc_test" / "__init__.py", ROOT / "picam_webrtc_test")
    from picam_webrtc.camera import picamera2_library
    from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
    from picam_webrtc_test.camera.libcamera_tables import IMX500, IMX708

    def fault(once: str = "") -> Any:
        """What is to go wrong; or whether `once` is, which then does no second time."""
        wanted = fault_file.read_text() if fault_file.exists() else ""
        if not once:
            return wanted
        if wanted == once:
            fault_file.unlink()
        return wanted == once

    class PacedPicamera2(FakePicamera2):
        """Makes frames by itself, each of one brightness, and tells in their metadata what it was told itself.

        Faults: `hold` keeps the frames, `raise` fails, `busy` does not open, `adjust` gives other pictures than asked;
        and once only `gil` hangs with Python's interpreter lock, `lock` without it, and `crash` ends the process.
        """

        def __init__(self) -> None:
            adjust = OTHER_CONFIGURATION if fault() == "adjust" else None
            super().__init__(adjust, sensor=IMX500 if models == "imx500" else IMX708)
            self._running = threading.Event()
            self._count = 0

        def start(self) -> None:
            super().start()
            self._running.set()
            threading.Thread(target=self._make_frames, daemon=True).start()

        def _make_frames(self) -> None:
            while self._running.is_set():
                time.sleep(1 / FRAME_RATE)
                if fault("gil"):
                    ctypes.PyDLL(None).sleep(HANG_S)
                elif fault("crash"):
                    os._exit(3)
                elif self.jobs and not self.jobs[-1].future.done() and fault() != "hold":
                    if fault() == "raise":
                        self.jobs[-1].fail(RuntimeError("no link"))
                    else:
                        self._frame()

        def _frame(self) -> None:
            self._count += 1
            buffers = self.blank_buffers()
            for buffer in buffers.values():
                buffer[:] = self._count % 256
            metadata = {"Number": self._count, "Gains": (1.5, 2.0), "Calls": list(self.calls), **told_to(self, library)}
            self.complete(buffers, {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME), **metadata})

        def close(self) -> None:
            self._running.clear()
            super().close()

    class PacedLibrary(FakeLibrary):
        tuning = ""

        def open(self, index: int) -> FakePicamera2:
            self.device = PacedPicamera2()
            self.device.tuning = self.tuning
            self.error = OSError("Device or resource busy") if fault() == "busy" else None
            return super().open(index)

        def mapped(self, request: Any, stream: str) -> Any:
            if fault("lock"):
                threading.Event().wait(HANG_S)
            return super().mapped(request, stream)

        def use_tuning(self, name: str) -> None:
            super().use_tuning(name)
            self.tuning = name

    library = PacedLibrary(*filter(None, models.split(",")))
    vars(picamera2_library)["installed_library"] = lambda: library
    return int(serve.main([descriptor]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))

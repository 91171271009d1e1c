"""Runs inside the tree: Picamera2 on libcamera's virtual cameras, as a library for the camera node.

The virtual camera needs three things from outside: buffers (a container's kernel has no DMA heap), raw
modes (it has none, and Picamera2 reads them), and a pace (it fills a buffer as soon as it gets one).
`Picamera2` itself, libcamera and everything of ours are the real ones.
"""

import ctypes
import mmap
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import libcamera
from picamera2 import MappedArray, Picamera2
from picamera2.allocators import Allocator

from picam_webrtc.camera.picamera2_library import CameraLibrary, InstalledLibrary

FRAME_RATE = 30.0
FAULT_FILE = Path(os.environ.get("VIRTUAL_CAMERA_FAULT_FILE", "/nonexistent"))
"""While it holds "hold", the camera keeps its frames: a cable that came off. While it holds "raise",
Picamera2's callbacks raise: its event loop dies of it. "gil" hangs once, with Python's interpreter lock."""
HANG_S = 60


class MemfdAllocator(Allocator):
    """One memfd a buffer, one plane a colour plane of NV12; a single plane makes libcamera abort."""

    def __init__(self) -> None:
        super().__init__()
        self.sync = MemfdSync
        self.mapped: dict[Any, mmap.mmap] = {}
        self._buffers: dict[Any, list[Any]] = {}

    def allocate(self, libcamera_config: Any, _use_case: str) -> None:
        self.close()
        for stream_config in libcamera_config:
            luma = stream_config.stride * stream_config.size.height
            self._buffers[stream_config.stream] = [
                self._buffer([(0, luma), (luma, luma // 2)]) for _ in range(stream_config.buffer_count)
            ]

    def _buffer(self, planes: list[tuple[int, int]]) -> Any:
        size = sum(length for _, length in planes)
        fd = os.memfd_create("virtual-camera")
        try:
            os.ftruncate(fd, size)
            buffer = libcamera.FrameBuffer([self._plane(fd, offset, length) for offset, length in planes])
            self.mapped[buffer] = mmap.mmap(fd, size)
        finally:
            os.close(fd)  # the planes and the mapping have their own
        return buffer

    @staticmethod
    def _plane(fd: int, offset: int, length: int) -> Any:
        plane = libcamera.FrameBuffer.Plane()
        plane.fd, plane.offset, plane.length = fd, offset, length
        return plane

    def buffers(self, stream: Any) -> list[Any]:
        return self._buffers[stream]

    def close(self) -> None:
        self._buffers = {}
        for memory in self.mapped.values():
            memory.close()
        self.mapped = {}


class MemfdSync:
    """Access to a buffer's memory; nothing needs to be flushed."""

    def __init__(self, allocator: MemfdAllocator, buffer: Any, _write: bool) -> None:
        self._memory = allocator.mapped[buffer]

    def __enter__(self) -> mmap.mmap:
        return self._memory

    def __exit__(self, *_: object) -> None:
        pass


def fault() -> str:
    return FAULT_FILE.read_text() if FAULT_FILE.exists() else ""


class Pacer:
    """Keeps completed requests and lets one go at each tick, which makes the next frame."""

    def __init__(self, frame_rate: float) -> None:
        self._period_s = 1 / frame_rate
        self._held: deque[Any] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="pacer", daemon=True)

    def hold(self, request: Any) -> None:
        if fault() == "raise":
            raise RuntimeError("a callback failed, as the test wants it")
        if fault() == "gil":
            FAULT_FILE.unlink()
            ctypes.PyDLL(None).sleep(HANG_S)
        request.acquire()
        self._held.append(request)

    def start(self) -> None:
        self._thread.start()

    def _tick(self) -> None:
        due_s = time.monotonic()
        while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
            due_s += self._period_s
            if self._held and fault() != "hold":
                self._held.popleft().release()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def release_all(self) -> None:
        while self._held:
            self._held.popleft().release()


class VirtualPicamera2(Picamera2):
    """Picamera2, paced."""

    def __init__(self, index: int) -> None:
        self._memory = MemfdAllocator()
        self._pacer = Pacer(FRAME_RATE)
        super().__init__(index, allocator=self._memory)
        self.pre_callback = self._pacer.hold

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        return [{"format": "SRGGB10", "size": (1280, 720)}]

    def start(self, *args: Any, **kwargs: Any) -> None:
        super().start(*args, **kwargs)
        self._pacer.start()

    def close(self) -> None:
        self._pacer.stop()
        super().close()
        self._pacer.release_all()
        self._memory.close()


def virtual_library() -> CameraLibrary:
    return InstalledLibrary(VirtualPicamera2, MappedArray, libcamera)

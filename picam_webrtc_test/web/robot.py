"""A robot without ROS: the real test pattern, streams, sessions and web server in the test's own process."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from picam_webrtc.camera.capture import Capture
from picam_webrtc.camera.source import make_source
from picam_webrtc.camera.test_pattern import PatternCode, read_code
from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.frame import Frame
from picam_webrtc.settings import CameraSettings, WebRtcSettings
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.session.sessions import Sessions
from picam_webrtc.web import page
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve

PAGES = Path(__file__).parent / "pages"

Find = Callable[[Frame, PatternCode], Detections | None]


def find_nothing(_frame: Frame, _code: PatternCode) -> Detections | None:
    return None


def find_the_frame_number(frame: Frame, code: PatternCode) -> Detections:
    """One box whose left edge tells the frame's number (modulo 64, in steps of 10 px from 100 px)."""
    left = 100 + code.frame_number % 64 * 10
    box = BoundingBox(left, 300, left + 200, 500)
    item = Detection(1, "number", 0.9, box)
    return Detections(frame.stamp_ns, frame.frame_id, frame.width, frame.height, (item,), inference_ns=5_000_000)


@dataclass
class Robot:
    """Streams `processed` (with detections of the very frame) and `raw` (the same pictures)."""

    url: str
    streams: tuple[Stream, ...]
    sessions: Sessions
    capture: Capture

    @property
    def is_capturing(self) -> bool:
        return self.capture.running


class Demand:
    """The camera runs while any stream is watched."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        self.capture: Capture | None = None

    def of(self, name: str) -> Callable[[bool], None]:
        return lambda wanted: self._change(name, wanted)

    def _change(self, name: str, wanted: bool) -> None:
        assert self.capture is not None
        (self.wanted.add if wanted else self.wanted.discard)(name)
        if self.wanted:
            self.capture.start()
        else:
            self.capture.stop()


@asynccontextmanager
async def running_robot(
    settings: WebRtcSettings | None = None,
    *,
    find: Find = find_nothing,
    pages: Path = page.STATIC,
    camera: CameraSettings | None = None,
) -> AsyncIterator[Robot]:
    settings = settings or WebRtcSettings(port=0)
    demand = Demand()
    streams = tuple(
        Stream(name, settings, on_demand=demand.of(name), is_live=lambda: True) for name in ("processed", "raw")
    )

    def on_frame(frame: Frame) -> None:
        code = read_code(frame.pixels)
        found = find(frame, code) if code else None
        for stream in streams:
            stream.push(frame, found)

    demand.capture = Capture(make_source(camera or CameraSettings(source="test_pattern")), on_frame)
    try:
        async with (
            Sessions(streams, settings) as sessions,
            serve(make_app(sessions, settings, pages=pages), settings) as address,
        ):
            yield Robot(address.url, streams, sessions, demand.capture)
    finally:
        demand.capture.stop()


def pages_with_standalone(directory: Path) -> Path:
    """The page's files, and beside them a page that uses viewer.js by itself."""
    shutil.copytree(page.STATIC, directory, dirs_exist_ok=True)
    shutil.copytree(PAGES, directory, dirs_exist_ok=True)
    return directory

"""A picture that moves, knows its number and its birth time, and costs next to nothing."""

import time

import cv2
import numpy as np

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.clock import NS_PER_S, Clock, SystemClock, wait_until
from picam_webrtc.camera.code import CodeWriter, PatternCode, read_code
from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import Frame, Pixels
from picam_webrtc.settings import CameraSettings

__all__ = ["PatternCode", "TestPatternSource", "read_code"]

BAR_COLORS_BGR = ((191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0), (191, 0, 191), (0, 0, 191), (191, 0, 0))
"""The 75 % colour bars of SMPTE EG 1, from left to right."""
BALL_CROSSING_S = 2.0
BALL_BGR = (40, 160, 250)
LANE_BGR = (48, 40, 32)
CAPTION_BGR = (230, 230, 230)
CAPTION_LETTERS = "0123456789:. UTC"
CAPTION_LENGTH = len("00000000  00:00:00.000 UTC")
LETTER_HEIGHT_PX, LETTER_WIDTH_PX = 28, 20
"""Room for any letter of OpenCV's simplex font at scale 1."""


class TestPatternSource:
    """Colour bars with a ball that rolls to and fro, a clock, and the code of `camera/code.py` on top.

    bgr8. Frames are due at absolute times, so the rate does not drift; a frame that comes too late to
    be of use is skipped, never made up for by a burst. Numbers count the frames made and go on
    after a reopening. A `label` stands across the bars.
    """

    __test__ = False  # not a test class, whatever pytest makes of its name

    def __init__(self, settings: CameraSettings, clock: Clock | None = None, label: str = "") -> None:
        self._label = label
        self._width, self._height = settings.width, settings.height
        self._frame_id, self._turn = settings.frame_id, settings.orientation
        self.frame_rate = settings.frame_rate
        self._period_ns = int(NS_PER_S / settings.frame_rate)
        self._clock = clock or SystemClock()
        self._code = CodeWriter(self._width, self._height)
        self._frame_number = 0
        self._due_ns = 0
        self._canvas: _Canvas | None = None

    def __str__(self) -> str:
        return f"test pattern, {self._width}x{self._height} bgr8 at {self.frame_rate:g} frames/s"

    def open(self) -> None:
        self._canvas = _Canvas(self._width, self._height, self._label)
        self._due_ns = self._clock.monotonic_ns()

    def read(self, timeout_s: float) -> FrameSet | None:
        if self._canvas is None:
            raise CameraError("the test pattern is not open")
        if not wait_until(self._clock, self._due_ns, timeout_s):
            return None
        stamp_ns = self._clock.realtime_ns()
        self._schedule_next()
        pixels = self._canvas.draw(self._frame_number / self.frame_rate, self._frame_number, stamp_ns)
        self._code.write(pixels, PatternCode.of(self._frame_number, stamp_ns))
        pixels.flags.writeable = False
        self._frame_number += 1
        return FrameSet(Frame(pixels, "bgr8", stamp_ns, self._frame_id), turn=self._turn)

    def close(self) -> None:
        self._canvas = None

    def _schedule_next(self) -> None:
        late_ns = max(0, self._clock.monotonic_ns() - self._due_ns)
        self._due_ns += (1 + late_ns // self._period_ns) * self._period_ns


class _Canvas:
    """Buffers that show the background already; only what moves is drawn."""

    def __init__(self, width: int, height: int, label: str = "") -> None:
        self._lane = slice(height * 5 // 8, height * 5 // 8 + min(height // 8, width // 4))
        self._caption = slice(height * 7 // 8, height)
        self._background = _background(width, height, self._lane, self._caption)
        _write_label(self._background[height // 4 : self._lane.start], label)
        self._ball = _ball(self._lane.stop - self._lane.start)
        self._glyphs = _glyphs((height - self._caption.start) // 2, width // (CAPTION_LENGTH + 2))
        self._pool = BufferPool(self._background.shape, lambda pixels: np.copyto(pixels, self._background))

    def draw(self, time_s: float, frame_number: int, stamp_ns: int) -> Pixels:
        """A buffer of its own with the picture of that moment, (height, width, 3)."""
        pixels = self._pool.take()
        pixels[self._lane] = self._background[self._lane]
        size = len(self._ball)
        x = self._ball_x(time_s, pixels.shape[1] - size)
        pixels[self._lane, x : x + size] = self._ball
        self._write_caption(pixels, f"{frame_number:08d}  {_clock_text(stamp_ns)}")
        return pixels

    def _write_caption(self, pixels: Pixels, text: str) -> None:
        line = np.concatenate([self._glyphs[letter] for letter in text], axis=1)
        height, width = line.shape[:2]
        y, x = self._caption.start + height // 2, width // CAPTION_LENGTH
        pixels[y : y + height, x : x + width] = line

    @staticmethod
    def _ball_x(time_s: float, room: int) -> int:
        phase = time_s / BALL_CROSSING_S % 2
        return int(room * (phase if phase <= 1 else 2 - phase))


def _background(width: int, height: int, lane: slice, caption: slice) -> Pixels:
    pixels = np.zeros((height, width, 3), np.uint8)
    bars = np.array(BAR_COLORS_BGR, np.uint8)
    pixels[:] = bars[np.arange(width) * len(bars) // width]
    ramp = (np.arange(width) * 256 // width).astype(np.uint8)
    pixels[lane.stop : caption.start] = ramp[:, np.newaxis]
    pixels[lane] = LANE_BGR
    pixels[caption] = 0
    return pixels


def _write_label(pixels: Pixels, label: str) -> None:
    """In the middle of `pixels`, as wide as fits, on a ground of its own."""
    if not label:
        return
    height, width = pixels.shape[:2]
    scale = 0.9 * width / cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)[0][0]
    scale = min(scale, 0.5 * height / LETTER_HEIGHT_PX)
    weight = max(1, round(scale * 2))
    (text_width, text_height), below = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    left, base = (width - text_width) // 2, (height + text_height) // 2
    pixels[max(0, base - text_height - below) : base + below, max(0, left - below) : left + text_width + below] = 0
    cv2.putText(pixels, label, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, CAPTION_BGR, weight, cv2.LINE_AA)


def _ball(size: int) -> Pixels:
    """A disc with a soft edge on the lane's colour, (size, size, 3)."""
    offset = np.arange(size) - (size - 1) / 2
    distance = np.hypot(offset[:, np.newaxis], offset)
    coverage = np.clip(size / 2 - distance, 0, 1)[:, :, np.newaxis]
    return np.asarray(coverage * BALL_BGR + (1 - coverage) * LANE_BGR).astype(np.uint8)


def _glyphs(height: int, width: int) -> dict[str, Pixels]:
    """Each letter of the caption in a cell of that size [px]: drawing text anew costs more than all the rest."""
    glyphs = {}
    for letter in CAPTION_LETTERS:
        cell = np.zeros((max(1, height), max(1, width), 3), np.uint8)
        scale = min(height / LETTER_HEIGHT_PX, width / LETTER_WIDTH_PX)
        cv2.putText(cell, letter, (0, height * 9 // 10), cv2.FONT_HERSHEY_SIMPLEX, scale, CAPTION_BGR, 1, cv2.LINE_AA)
        glyphs[letter] = cell
    return glyphs


def _clock_text(stamp_ns: int) -> str:
    seconds, rest_ns = divmod(stamp_ns, NS_PER_S)
    return f"{time.strftime('%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 1_000_000:03d} UTC"

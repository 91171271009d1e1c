"""A video file, or a still picture, played in a loop as if it were a camera."""

from collections.abc import Generator
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from picam_webrtc.camera.buffers import BufferPool
from picam_webrtc.camera.clock import Clock
from picam_webrtc.camera.player import Picture, Player
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import Pixels
from picam_webrtc.settings import CameraSettings


class VideoFileSource(Player):
    """Decodes `settings.video_file`, paced by its own timestamps; a still picture comes at `frame_rate`.

    Every frame is bgr8, width x height, and stamped with the time at which it is shown.
    """

    def __init__(self, settings: CameraSettings, clock: Clock | None = None) -> None:
        self._path = checked_path(settings.video_file)
        self._fit = Fit(settings.width, settings.height)
        self._still_rate = settings.frame_rate
        super().__init__(f"video file {self._path}", settings.frame_id, clock, settings.orientation)

    def __str__(self) -> str:
        return f"video file {self._path}, {self._fit.width}x{self._fit.height} bgr8"

    def _play(self) -> Generator[Picture, None, None]:
        return _play(self._path, self._fit, self._still_rate)


def checked_path(name: str) -> Path:
    """The file of that name. Raises SettingError unless it exists and holds pictures."""
    if not name:
        raise SettingError("video_file", name, "source video_file needs one, e.g. video_file:=/path/to/clip.mp4")
    path = Path(name)
    if not path.is_file():
        raise SettingError("video_file", name, "there is no such file; give the path of a video or a picture")
    try:
        with av.open(str(path)) as container:
            next(container.decode(video=0))
    except (av.FFmpegError, IndexError, StopIteration) as error:
        reason = "holds no video or picture that FFmpeg can decode; see what `ffprobe` says of it"
        raise SettingError("video_file", name, reason) from error
    return path


class Fit:
    """Scales pictures into width x height, their aspect ratio kept, the rest black."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._scaled_size = (0, 0)
        self._canvases = BufferPool((height, width, 3))

    def __call__(self, picture: VideoFrame) -> Pixels:
        """bgr8 pixels, (height, width, 3), not to be written to."""
        width, height = self._size_within(picture.width, picture.height)
        scaled = picture.to_ndarray(format="bgr24", width=width, height=height)
        if (width, height) == (self.width, self.height):
            return scaled
        if self._scaled_size != (width, height):  # a stream may change its size midway, and so its bars
            self._scaled_size = (width, height)
            self._canvases = BufferPool((self.height, self.width, 3))
        canvas = self._canvases.take()
        x, y = (self.width - width) // 2, (self.height - height) // 2
        canvas[y : y + height, x : x + width] = scaled
        return canvas

    def _size_within(self, width: int, height: int) -> tuple[int, int]:
        scale = min(self.width / width, self.height / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


def _play(path: Path, fit: Fit, frame_rate: float) -> Generator[Picture, None, None]:
    """The file's pictures for ever. Raises CameraError when it cannot be read any more."""
    offset_s = 0.0
    while True:
        count = 0
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                timetable = Timetable(stream, frame_rate)
                for picture in container.decode(stream):
                    position_s, pixels, count = timetable.position_s(picture.pts), fit(picture), count + 1
                    yield offset_s + position_s, pixels, "bgr8"
        except (av.FFmpegError, IndexError) as error:
            raise CameraError(f"video file {path} cannot be played any more: {error}") from error
        if count == 0:
            raise CameraError(f"video file {path} has no pictures any more")
        if count == 1:
            yield from _repeat(pixels, frame_rate)
        offset_s += timetable.end_s


class Timetable:
    """When each picture of one pass through a file is due, never running back."""

    def __init__(self, stream: VideoStream, frame_rate: float) -> None:
        self._period_s = float(1 / (stream.average_rate or stream.guessed_rate or frame_rate))
        self._time_base = float(stream.time_base or 0)
        self._start_pts: int | None = None
        self._last_s: float | None = None

    @property
    def end_s(self) -> float:
        """When the picture after the last one would be due."""
        return 0.0 if self._last_s is None else self._last_s + self._period_s

    def position_s(self, pts: int | None) -> float:
        """Seconds after the first picture; a period after the one before where timestamps miss or run back."""
        if self._start_pts is None:
            self._start_pts = pts
        position_s = self.end_s
        if pts is not None and self._start_pts is not None and self._time_base:
            stamped_s = (pts - self._start_pts) * self._time_base
            if self._last_s is None or stamped_s > self._last_s:
                position_s = stamped_s
        self._last_s = position_s
        return position_s


def _repeat(pixels: Pixels, frame_rate: float) -> Generator[Picture, None, None]:
    number = 1
    while True:
        yield number / frame_rate, pixels, "bgr8"
        number += 1

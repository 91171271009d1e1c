"""Files play at their own pace, for ever, in the size of the settings."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from picam_webrtc.camera.video_file import VideoFileSource
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.fakes import FakeClock


def write_video(path: Path, pts_ms: list[int], size: tuple[int, int] = (160, 120)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "qp": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, pts in enumerate(pts_ms):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 20 * index, np.uint8), "bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def opened(path: Path, clock: FakeClock, **values: object) -> VideoFileSource:
    given = {"source": "video_file", "video_file": str(path), "width": 160, "height": 120, **values}
    source = VideoFileSource(CameraSettings.from_values(given), clock)
    source.open()
    return source


def next_frame(source: VideoFileSource) -> Frame:
    frame_set = source.read(timeout_s=60)
    assert frame_set is not None
    return frame_set.frame


def brightness(frame: Frame) -> int:
    return round(float(frame.pixels[60, 80].mean()))


def test_frames_come_at_the_times_the_file_says(tmp_path: Path) -> None:
    clock = FakeClock()
    source = opened(write_video(tmp_path / "a.mp4", [0, 40, 120, 500]), clock)
    stamps = [next_frame(source).stamp_ns for _ in range(4)]
    source.close()

    assert [stamp - stamps[0] for stamp in stamps] == pytest.approx([0, 40e6, 120e6, 500e6], abs=1e6)


def test_the_file_begins_anew_where_it_ends(tmp_path: Path) -> None:
    clock = FakeClock()
    source = opened(write_video(tmp_path / "a.mp4", [0, 40, 80, 120]), clock)
    frames = [next_frame(source) for _ in range(10)]
    source.close()
    steps = np.diff([frame.stamp_ns for frame in frames])

    assert [brightness(frame) for frame in frames] == pytest.approx([0, 20, 40, 60, 0, 20, 40, 60, 0, 20], abs=6)
    assert steps.min() > 0
    assert steps[:3].tolist() == pytest.approx([40e6] * 3, abs=1e6)


def test_a_still_picture_is_shown_at_the_frame_rate(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 77, np.uint8))
    source = opened(path, FakeClock(), frame_rate=20.0)
    frames = [next_frame(source) for _ in range(5)]
    source.close()

    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == pytest.approx([50e6] * 4, abs=1e3)
    assert {brightness(frame) for frame in frames} == {77}


@pytest.mark.parametrize(
    ("file_size", "bars"),
    [((160, 60), "above and below"), ((60, 120), "left and right"), ((81, 60), "none worth the name")],
)
def test_a_picture_of_another_shape_is_fitted_not_distorted(
    tmp_path: Path, file_size: tuple[int, int], bars: str
) -> None:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((file_size[1], file_size[0], 3), 200, np.uint8))
    source = opened(path, FakeClock())
    pixels = next_frame(source).pixels
    source.close()

    assert pixels.shape == (120, 160, 3)
    assert pixels[60, 80].tolist() == pytest.approx([200] * 3, abs=2)
    assert bool(pixels[2, 80].max() < 5) is (bars == "above and below")
    assert bool(pixels[60, 2].max() < 5) is (bars == "left and right")


def test_frames_are_stamped_when_they_are_shown_and_carry_the_frame_id(tmp_path: Path) -> None:
    clock = FakeClock()
    source = opened(write_video(tmp_path / "a.mp4", [0, 40]), clock, frame_id="cam")
    next_frame(source)
    frame = next_frame(source)
    source.close()

    assert (frame.stamp_ns, frame.frame_id, frame.encoding) == (clock.realtime_ns(), "cam", "bgr8")


def test_a_player_that_fell_behind_goes_on_from_there_instead_of_racing(tmp_path: Path) -> None:
    clock = FakeClock()
    source = opened(write_video(tmp_path / "a.mp4", [0, 40, 80, 120]), clock)
    next_frame(source)
    clock.now_ns += 3_000_000_000
    stamps = [next_frame(source).stamp_ns for _ in range(2)]
    source.close()

    assert stamps[1] - stamps[0] == pytest.approx(40e6, abs=1e6)


def test_a_read_before_the_frame_is_due_returns_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    source = opened(write_video(tmp_path / "a.mp4", [0, 1000]), clock)
    next_frame(source)

    assert source.read(timeout_s=0.5) is None
    assert source.read(timeout_s=1.0) is not None
    source.close()


def test_a_reopened_file_begins_at_its_beginning(tmp_path: Path) -> None:
    source = opened(write_video(tmp_path / "a.mp4", [0, 40, 80]), FakeClock())
    next_frame(source)
    next_frame(source)
    source.close()
    source.close()
    source.open()

    assert brightness(next_frame(source)) == pytest.approx(0, abs=6)
    source.close()


def test_a_file_that_disappears_is_a_camera_fault(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 40])
    source = opened(path, FakeClock())
    path.unlink()
    next_frame(source)
    next_frame(source)

    with pytest.raises(CameraError, match=r"a\.mp4 cannot be played any more"):
        next_frame(source)
    source.close()
    with pytest.raises(CameraError, match="not open"):
        source.read(1)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("", None, "needs one, e.g. video_file:=/path"),
        ("missing.mp4", None, "there is no such file"),
        ("text.mp4", b"not a video", "holds no video or picture"),
        ("empty.mp4", b"", "holds no video or picture"),
    ],
)
def test_a_file_that_cannot_be_played_is_refused_at_once(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / name if name else ""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    settings = CameraSettings.from_values({"source": "video_file", "video_file": str(path)})

    with pytest.raises(SettingError, match=complaint) as refused:
        VideoFileSource(settings)
    assert "parameter 'video_file'" in str(refused.value)


def test_a_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))

    with pytest.raises(SettingError, match="holds no video or picture"):
        VideoFileSource(CameraSettings.from_values({"video_file": str(path)}))

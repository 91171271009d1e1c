"""A viewer starts, switches and recovers at key frames only."""

from picam_webrtc.streaming.encode.rendition import Codec, RenditionKey
from picam_webrtc.streaming.fanout.history import History
from picam_webrtc.streaming.fanout.viewer import DRAIN_S, KEYFRAME_ALLOWANCE, Viewer
from picam_webrtc.streaming.rtp.reports import Report
from picam_webrtc_test.streaming.fakes import H264_FULL, FakeControl, FakeOutlet, FakeTime, coded

H264_HALF = RenditionKey(Codec.H264, 1)


class Scene:
    """A viewer with its surroundings."""

    def __init__(self) -> None:
        self.time, self.outlet, self.control = FakeTime(), FakeOutlet(), FakeControl()
        self.history = History()
        self.viewer = Viewer(Codec.H264, self.outlet, self.control.request_keyframe, self.time)

    @property
    def seen(self) -> list[int]:
        return [frame.timestamp // 3000 for frame in self.outlet.frames]

    def play(self, numbers: range) -> None:
        for number in numbers:
            self.time.pass_s(1 / 30)
            self.viewer.take(coded(number), self.history)


def test_nothing_is_sent_before_a_key_frame() -> None:
    scene = Scene()
    scene.play(range(3))
    scene.viewer.take(coded(3, keyframe=True), scene.history)
    scene.play(range(4, 6))

    assert scene.seen == [3, 4, 5]
    assert scene.viewer.counts.frames_skipped == 3


def test_frames_of_other_renditions_are_not_for_this_viewer() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True, key=H264_HALF), scene.history)
    scene.viewer.take(coded(0, keyframe=True, key=RenditionKey(Codec.VP8, 0)), scene.history)

    assert scene.seen == []


def test_a_change_of_rendition_waits_for_the_key_frame_and_loses_nothing() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True), scene.history)
    scene.viewer.wanted = H264_HALF
    scene.viewer.take(coded(1), scene.history)
    scene.viewer.take(coded(1, key=H264_HALF), scene.history)
    scene.viewer.take(coded(2), scene.history)
    scene.viewer.take(coded(3, keyframe=True, key=H264_HALF), scene.history)
    scene.viewer.take(coded(3), scene.history)
    scene.viewer.take(coded(4, key=H264_HALF), scene.history)

    assert scene.seen == [0, 1, 2, 3, 4]
    assert [frame.key.rung for frame in scene.outlet.frames] == [0, 0, 0, 1, 1]


def test_a_full_connection_skips_to_a_key_frame() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True), scene.history)
    scene.outlet.full = True
    scene.play(range(1, 3))
    scene.outlet.full = False
    scene.play(range(3, 5))
    scene.viewer.take(coded(5, keyframe=True), scene.history)
    scene.play(range(6, 7))

    assert scene.seen == [0, 5, 6]


def test_a_connection_that_stays_full_asks_for_ever_fewer_key_frames() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True), scene.history)
    scene.outlet.full = True
    for number in range(1, 30 * 60):
        scene.time.pass_s(1 / 30)
        asked = bool(scene.control.asked) and number % 30 == 0
        scene.viewer.take(coded(number, keyframe=asked), scene.history)

    assert len(scene.control.asked) <= 10


def test_one_viewer_cannot_have_a_storm_of_key_frames() -> None:
    scene = Scene()
    for _ in range(100):
        scene.viewer.keyframe_requested()
    scene.time.pass_s(1)
    scene.viewer.keyframe_requested()

    assert scene.control.asked == [H264_FULL] * (KEYFRAME_ALLOWANCE + 1)
    assert scene.viewer.counts.keyframes_asked == 101


def test_a_flooded_link_is_left_alone_before_it_gets_a_smaller_picture() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True), scene.history)
    scene.viewer.reported(Report(loss=0.6, packets_lost=100, jitter_s=0.0, rtt_s=0.1))
    scene.viewer.change_to(1)
    begin_s = scene.time()
    for number in range(1, 60):
        scene.time.pass_s(1 / 30)
        asked = scene.control.asked == [H264_HALF]
        for key in (H264_FULL, H264_HALF):
            scene.viewer.take(coded(number, keyframe=asked or number == 1, key=key), scene.history)
        if asked:
            break

    assert scene.seen == [0, number]
    assert scene.outlet.frames[-1].key == H264_HALF
    assert DRAIN_S <= scene.time() - begin_s <= DRAIN_S + 0.1
    assert scene.viewer.counts.rung_changes == 1


def test_a_link_that_is_not_flooded_has_no_gap() -> None:
    scene = Scene()
    scene.viewer.take(coded(0, keyframe=True), scene.history)
    scene.viewer.reported(Report(loss=0.05, packets_lost=10, jitter_s=0.0, rtt_s=0.1))
    scene.viewer.change_to(1)
    scene.play(range(1, 4))
    scene.viewer.take(coded(4, keyframe=True, key=H264_HALF), scene.history)

    assert scene.seen == [0, 1, 2, 3, 4]


def test_a_smaller_picture_fills_most_of_what_the_link_takes() -> None:
    scene = Scene()

    assert scene.viewer.fitting_bitrate(500_000) == 500_000
    for estimate, fitting in ((400_000, 340_000), (10_000, 200_000), (5_000_000, 500_000)):
        scene.viewer.estimated(estimate)
        assert scene.viewer.fitting_bitrate(500_000) == fitting

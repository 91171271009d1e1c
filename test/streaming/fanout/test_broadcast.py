"""Viewers share what is encoded; what nobody needs is not encoded."""

from picam_webrtc.streaming.encode.rendition import Codec, RenditionKey
from picam_webrtc.streaming.fanout.broadcast import Broadcast
from picam_webrtc.streaming.fanout.history import HISTORY_FRAMES
from picam_webrtc.streaming.rtp.reports import Report
from picam_webrtc_test.streaming.fakes import H264_FULL, FakeControl, FakeOutlet, FakeTime, coded

H264_HALF, VP8_FULL = RenditionKey(Codec.H264, 1), RenditionKey(Codec.VP8, 0)


class Scene:
    def __init__(self) -> None:
        self.time, self.control = FakeTime(), FakeControl()
        self.broadcast = Broadcast(self.control, self.time)

    def play(self, first: int, count: int, key: RenditionKey = H264_FULL) -> None:
        """A key frame and what follows it."""
        for number in range(first, first + count):
            self.broadcast.deliver(coded(number, keyframe=number == first, key=key))
            self.time.pass_s(1 / 30)


def test_viewers_of_one_codec_share_one_rendition() -> None:
    scene = Scene()
    outlets = [FakeOutlet() for _ in range(5)]
    for outlet in outlets:
        scene.broadcast.join(Codec.H264, outlet)
    scene.play(0, 3)

    assert scene.control.changes == [(H264_FULL,)]
    assert all(len(outlet.frames) == 3 for outlet in outlets)
    assert all(outlet.frames[0] is outlets[0].frames[0] for outlet in outlets)


def test_a_rendition_runs_while_a_viewer_needs_it() -> None:
    scene = Scene()
    one = scene.broadcast.join(Codec.H264, FakeOutlet())
    other = scene.broadcast.join(Codec.VP8, FakeOutlet())
    scene.broadcast.leave(one)
    scene.broadcast.leave(other)
    scene.broadcast.leave(other)

    assert scene.control.changes == [(H264_FULL,), (H264_FULL, VP8_FULL), (VP8_FULL,), ()]


def test_frames_wait_to_be_encoded_only_while_someone_wants_them_all() -> None:
    scene = Scene()
    scene.broadcast.join(Codec.H264, FakeOutlet())
    assert scene.control.most_waiting == 1

    recorder = scene.broadcast.join(Codec.H264, FakeOutlet(most_waiting=8))
    assert scene.control.most_waiting == 8

    scene.broadcast.leave(recorder)
    assert scene.control.most_waiting == 1


def test_a_viewer_on_its_way_to_another_rendition_needs_both() -> None:
    scene = Scene()
    viewer = scene.broadcast.join(Codec.H264, FakeOutlet())
    scene.play(0, 2)
    scene.broadcast.assign(viewer, 1)
    assert set(scene.control.renditions) == {H264_FULL, H264_HALF}
    scene.play(2, 1, key=H264_HALF)

    assert set(scene.control.renditions) == {H264_HALF}
    assert scene.control.asked[-1] == H264_HALF


def test_a_new_viewer_starts_from_the_key_frame_just_made() -> None:
    scene = Scene()
    scene.broadcast.join(Codec.H264, FakeOutlet())
    scene.play(0, 4)
    asked = len(scene.control.asked)
    late = FakeOutlet()
    scene.broadcast.join(Codec.H264, late)

    assert [frame.timestamp for frame in late.frames] == [0, 3000, 6000, 9000]
    assert len(scene.control.asked) == asked


def test_a_new_viewer_gets_a_key_frame_of_its_own_when_the_last_is_old() -> None:
    scene = Scene()
    scene.broadcast.join(Codec.H264, FakeOutlet())
    scene.play(0, 12)
    asked = len(scene.control.asked)
    late = FakeOutlet()
    scene.broadcast.join(Codec.H264, late)

    assert late.frames == []
    assert scene.control.asked[asked:] == [H264_FULL]


def test_what_is_kept_for_new_viewers_is_bounded() -> None:
    scene = Scene()
    scene.broadcast.join(Codec.H264, FakeOutlet())
    for number in range(HISTORY_FRAMES + 1):
        scene.broadcast.deliver(coded(number, keyframe=number == 0))
    late = FakeOutlet()
    scene.broadcast.join(Codec.H264, late)

    assert late.frames == []


def test_frames_of_a_rendition_that_has_ended_are_let_go_of() -> None:
    scene = Scene()
    outlet = FakeOutlet()
    viewer = scene.broadcast.join(Codec.H264, outlet)
    scene.broadcast.leave(viewer)
    scene.play(0, 1)

    assert outlet.frames == []


def test_a_viewer_that_is_full_does_not_concern_the_others() -> None:
    scene = Scene()
    stalled, fine = FakeOutlet(full=True), FakeOutlet()
    scene.broadcast.join(Codec.H264, stalled)
    scene.broadcast.join(Codec.H264, fine)
    scene.play(0, 10)

    assert len(fine.frames) == 10
    assert stalled.frames == []


def test_a_viewer_behind_a_narrow_link_moves_and_the_others_stay() -> None:
    scene = Scene()
    narrow, wide = scene.broadcast.join(Codec.H264, FakeOutlet()), scene.broadcast.join(Codec.H264, FakeOutlet())
    scene.play(0, 60)
    for step in range(8):
        scene.time.pass_s(0.5)
        narrow.estimated(200_000)
        wide.estimated(20_000_000)
        for number in range(15):
            scene.broadcast.deliver(coded(100 + 15 * step + number, size=8000))
        scene.broadcast.adapt()
    smaller = narrow.wanted
    scene.play(300, 2, key=smaller)

    assert smaller.rung > 0
    assert narrow.rendition == smaller
    assert wide.rendition == wide.wanted == H264_FULL
    assert set(scene.control.renditions) == {H264_FULL, smaller}


def test_without_adaptation_everyone_keeps_full_quality() -> None:
    scene = Scene()
    scene.broadcast.adaptive = False
    viewer = scene.broadcast.join(Codec.H264, FakeOutlet())
    for _ in range(20):
        scene.time.pass_s(0.5)
        viewer.reported(Report(0.6, 100, 0.0, 0.1))
        scene.broadcast.adapt()

    assert viewer.wanted == H264_FULL


def test_the_smallest_rendition_follows_its_slowest_viewer_within_limits() -> None:
    scene = Scene()
    quarter = RenditionKey(Codec.H264, 2)
    viewers = [scene.broadcast.join(Codec.H264, FakeOutlet()) for _ in range(2)]
    for viewer in viewers:
        scene.broadcast.assign(viewer, 2)
        viewer.adaptation.rung = 2
    scene.play(0, 2, key=quarter)
    rates = []
    for estimates in ((400_000, 900_000), (10_000, 900_000), (5_000_000, 900_000)):
        for viewer, estimate in zip(viewers, estimates, strict=True):
            viewer.estimated(estimate)
        scene.broadcast.adapt()
        rates.append(scene.control.bitrates[quarter])

    assert rates == [340_000, 200_000, 500_000]


def test_lost_packets_are_sent_again_to_the_viewer_who_lost_them() -> None:
    scene = Scene()
    one, other = FakeOutlet(), FakeOutlet()
    viewer = scene.broadcast.join(Codec.H264, one)
    scene.broadcast.join(Codec.H264, other)
    scene.play(0, 5)
    viewer.packets_lost([7, 8, 7, 4000])

    assert one.resent == [7, 8]
    assert other.resent == []
    assert viewer.counts.packets_asked_again == 4

"""Frames as they are announced: what arrives is what was taken, whatever was said before."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from picam_webrtc.camera.frame_set import FrameSet
from picam_webrtc.camera.frames_message import Announced, FramesReader, FramesWriter
from picam_webrtc.camera.slots import SlotMapping, SlotPool
from picam_webrtc.errors import CameraError
from picam_webrtc.frame import ColorSpace, Frame
from picam_webrtc.sensor_outputs import UNKNOWN_NETWORK, SensorNetwork, SensorOutputs, SensorTensor
from picam_webrtc.view import View

VIEW = View((4608, 2592), (0, 0, 4608, 2592), (0, 0, 4608, 2592), hflip=True)
RATE = 30.0
OUTPUTS = SensorOutputs(SensorNetwork("pets", labels=("cat",)), VIEW, (SensorTensor.of([0.5, 0.25]),), 7)


class Ends:
    """Both ends, with the memory of two streams between them."""

    def __init__(self) -> None:
        self.pools = [SlotPool((48, 64, 3)), SlotPool((36, 32))]
        self.writer = FramesWriter()
        self.reader = FramesReader([SlotMapping(pool.descriptor, pool.shape) for pool in self.pools])

    def taken(self, number: int, view: View | None = VIEW, **rest: Any) -> FrameSet:
        main, lores = (pool.take() for pool in self.pools)
        main[:], lores[:] = number, number + 1
        frame = Frame(main, "bgr8", number, "front", ColorSpace.SMPTE170M, view)
        return FrameSet(
            frame, Frame(lores, "nv12", number, "front"), {"ExposureTime": 9000, "Gains": (1.5, 2.0)}, **rest
        )

    def said(self, frame_set: FrameSet, rate: float = RATE) -> dict[str, Any]:
        content = self.writer.content(frame_set, [pool.taken_slot for pool in self.pools], rate)
        return dict(json.loads(json.dumps(content)))

    def announced(self, frame_set: FrameSet, rate: float = RATE) -> Announced:
        announced = self.reader.read(self.said(frame_set, rate))
        self.writer.sent()
        for pool in self.pools:
            pool.lend()
        return announced


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    for pool in ends.pools:
        pool.close()


def same(one: Frame | None, other: Frame | None) -> bool:
    if one is None or other is None:
        return one is other
    rest = [name for name in Frame.__slots__ if name != "pixels"]
    return np.array_equal(one.pixels, other.pixels) and all(getattr(one, n) == getattr(other, n) for n in rest)


def test_every_frame_arrives_as_it_was_taken(ends: Ends) -> None:
    for number in range(5):
        taken = ends.taken(number, turn=90)
        announced = ends.announced(taken)

        assert same(announced.frame_set.frame, taken.frame)
        assert same(announced.frame_set.lores, taken.lores)
        assert (announced.frame_set.metadata, announced.frame_set.turn) == (taken.metadata, 90)
        assert announced.frame_rate == RATE


def test_what_is_as_before_is_said_once(ends: Ends) -> None:
    assert "rest" in ends.said(ends.taken(0))
    assert "rest" in ends.said(ends.taken(1)), "the first message may not have gone"
    ends.announced(ends.taken(2))
    assert set(ends.said(ends.taken(3))) == {"at", "stamp", "slots", "metadata"}


def test_what_changes_is_said_again(ends: Ends) -> None:
    ends.announced(ends.taken(0))
    zoomed = View((4608, 2592), (100, 100, 64, 48), (0, 0, 4608, 2592))
    for view, turn, rate in ((zoomed, 0, RATE), (None, 270, RATE), (VIEW, 0, 50.0)):
        taken = ends.taken(1, view, turn=turn)
        announced = ends.announced(taken, rate)

        assert same(announced.frame_set.frame, taken.frame)
        assert (announced.frame_set.turn, announced.frame_rate) == (taken.turn, rate)


def test_outputs_of_the_sensor_are_said_each_time_without_their_network(ends: Ends) -> None:
    ends.announced(ends.taken(0))
    for number in (1, 2):
        announced = ends.announced(ends.taken(number, sensor_outputs=OUTPUTS))

        assert announced.frame_set.sensor_outputs == replace(OUTPUTS, network=UNKNOWN_NETWORK)
    assert ends.announced(ends.taken(3)).frame_set.sensor_outputs is None


def damaged(content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *way, last = path.split("/")
    found: Any = content
    for name in way:
        found = found[int(name) if isinstance(found, list) else name]
    found[int(last) if isinstance(found, list) else last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("at", "now"),
        ("stamp", -1),
        ("stamp", 2**70),
        ("stamp", True),
        ("metadata", 5),
        ("metadata", {"tuple": []}),
        ("slots", []),
        ("slots", [0]),
        ("slots", [0, 16]),
        ("slots", [0, None]),
        ("slots", ["0", 0]),
        ("slots", [[0], 0]),
        ("outputs", 5),
        ("outputs", {"View": {}}),
        ("outputs/SensorOutputs/seen", None),
        ("outputs/SensorOutputs/tensors", 5),
        ("outputs/SensorOutputs/tensors", {"tuple": [5]}),
        ("outputs/SensorOutputs/network_ns", "7"),
        ("rest", 5),
        ("rest", {"dict": {}}),
        ("rest/dict/frame_rate", 0.0),
        ("rest/dict/frame_rate", "30"),
        ("rest/dict/frames", []),
        ("rest/dict/frames/0/dict/encoding", "jpeg"),
        ("rest/dict/frames/0/dict/encoding", "nv12"),
        ("rest/dict/frames/0/dict/encoding", 5),
        ("rest/dict/frames/0/dict/frame_id", None),
        ("rest/dict/frames/0/dict/view", 5),
        ("rest/dict/frames/0/dict/view/View/crop", {"tuple": [0, 0, 0, 0]}),
        ("rest/dict/frame_set/dict/turn", 45),
        ("rest/dict/frame_set/dict/turn", "90"),
    ],
    ids=str,
)
def test_what_no_camera_takes_is_one_error(ends: Ends, path: str, value: object) -> None:
    with pytest.raises(CameraError) as error:
        ends.reader.read(damaged(ends.said(ends.taken(1, sensor_outputs=OUTPUTS)), path, value))

    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("content", [None, 5, [], {}, {"at": 1}], ids=str)
def test_what_is_no_announcement_is_one_error(ends: Ends, content: Any) -> None:
    with pytest.raises(CameraError, match="announces what is no frame"):
        ends.reader.read(content)


def test_a_frame_without_the_rest_before_it_is_one_error(ends: Ends) -> None:
    ends.announced(ends.taken(0))
    with pytest.raises(CameraError, match="announces what is no frame"):
        FramesReader(ends.reader._mappings).read(ends.said(ends.taken(1)))

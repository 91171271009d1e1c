"""A key frame for everyone who asks, one for all, never a storm."""

from picam_webrtc.streaming.encode.keyframes import KeyframeGate


def keyframes_at(gate: KeyframeGate, times_s: list[float], asked_at: set[float]) -> list[float]:
    made = []
    for now_s in times_s:
        if now_s in asked_at:
            gate.request()
        if gate.due(now_s):
            gate.passed(now_s)
            made.append(now_s)
    return made


def test_the_first_frame_is_a_key_frame() -> None:
    assert KeyframeGate(10, 0.2).due(0)


def test_a_request_is_served_with_the_next_frame() -> None:
    assert keyframes_at(KeyframeGate(10, 0.2), [0, 1, 2, 3], {2}) == [0, 2]


def test_thirty_requests_cost_one_key_frame() -> None:
    gate = KeyframeGate(10, 0.2)
    keyframes_at(gate, [0], set())
    for _ in range(30):
        gate.request()

    assert keyframes_at(gate, [1, 1.03, 1.06, 1.3, 2], set()) == [1]
    assert (gate.asked, gate.given) == (30, 2)


def test_a_request_that_comes_too_early_is_served_at_the_end_of_the_minimum_interval() -> None:
    frames = [number / 32 for number in range(20)]
    asked = set(frames[1:])

    made = keyframes_at(KeyframeGate(10, 6 / 32), frames, asked)

    assert made == [0, frames[6], frames[12], frames[18]]


def test_without_requests_key_frames_come_at_the_interval() -> None:
    assert keyframes_at(KeyframeGate(10, 0.2), list(map(float, range(31))), set()) == [0, 10, 20, 30]

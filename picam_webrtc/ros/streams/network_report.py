"""webrtc_node on /diagnostics: whether pictures cross the network to here, and from here to the media servers."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from picam_webrtc.ros.node.diagnostics import Report
from picam_webrtc.silence import SilenceLimits, silence_level
from picam_webrtc.streaming.publish.publisher import PublishSnapshot, PublishState
from picam_webrtc.verdict import Level, Verdict

WINDOW_S = 5.0
LEAST_SHARE = 0.5
"""Of the pictures that were taken: below it something stands in their way, beyond what a busy machine leaves out."""
SLOW_HZ, LATE_S, RECORDED_S = 5.0, 1.0, 60.0
"""Pictures that are slow and late fill the link: then not even the small messages beside them get through. Those that
are older still are played from a recording.
"""
LATE_BY_THE_LINK = 0.75
"""Of the time between two pictures: where the link is what makes them slow, each is under way that long at least. One
that was only made slowly, as a map is, comes less late than seldom.
"""
MOST_EVENTS = 1024
CODED_SUFFIXES = ("/compressed", "/h264")
"""Other forms of the topic that they are named after, the preferred one first."""


class EventRate:
    """How often something happens, over the last seconds; from any thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._times_s: deque[float] = deque(maxlen=MOST_EVENTS)
        self._since_s = now_s()

    def restart(self) -> None:
        self._times_s.clear()
        self._since_s = self._now_s()

    def count(self) -> None:
        self._times_s.append(self._now_s())

    @property
    def settled(self) -> bool:
        """Whether it may be compared to another: two topics are not found at one moment, and coded video comes from a
        key frame on.
        """
        return self._now_s() - self._since_s >= WINDOW_S

    @property
    def per_s(self) -> float:
        now_s = self._now_s()
        recent = sum(now_s - time_s < WINDOW_S for time_s in tuple(self._times_s))
        return recent / max(min(WINDOW_S, now_s - self._since_s), 1.0)


@dataclass(frozen=True, slots=True)
class Feed:
    """What comes for one stream. Rates are per second; `companion_rate` is that of the small messages that go with
    the pictures, one each (camera_info, detections), and `companion` their topic. `late_s` is how old the last picture
    was when it came.
    """

    stream: str
    topic: str
    watched: bool
    publishers: int
    rate: float
    silent_s: float
    late_s: float
    companion: str
    companion_rate: float
    usual_gap_s: float = 0.0
    """Between two pictures; 0 while that is not known."""
    comparable: bool = True
    """Whether both rates are of a whole window."""


def network_report(limits: SilenceLimits, feeds: Sequence[Feed], publishing: Sequence[PublishSnapshot]) -> Report:
    verdicts = [*(judge_feed(limits, feed) for feed in feeds), *(_judge_publishing(one) for one in publishing)]
    level = max((level for level, _ in verdicts), default=Level.OK)
    complaints = [text for its_level, text in verdicts if its_level == level > Level.OK]
    values: dict[str, str] = {}
    for feed in feeds:
        values[f"{feed.stream}: topic"] = feed.topic
        values[f"{feed.stream}: pictures (Hz)"] = f"{feed.rate:.2f}"
        values[f"{feed.stream}: {feed.companion} (Hz)"] = f"{feed.companion_rate:.2f}"
    for one in publishing:
        values[f"{one.stream} at {one.server}"] = f"{one.state}; {one.error}" if one.error else str(one.state)
    return Report(level, "; ".join(complaints) or "everything gets through", values)


def judge_feed(limits: SilenceLimits, feed: Feed) -> Verdict:
    """Only what is watched is expected to come."""
    if not feed.watched:
        return Level.OK, "idle"
    if not feed.publishers:
        return Level.WARN, f"nobody publishes {feed.topic}"
    if feed.comparable and feed.companion_rate * LEAST_SHARE > feed.rate:
        taken = f"{feed.companion} comes at {feed.companion_rate:.1f} Hz"
        return Level.WARN, f"{feed.topic} comes at {feed.rate:.1f} Hz, while {taken}: {_advice(feed.topic)}"
    late_by_the_link = 0 < LATE_BY_THE_LINK * feed.usual_gap_s <= feed.late_s
    if feed.rate < SLOW_HZ and LATE_S < feed.late_s < RECORDED_S and late_by_the_link:
        late = f"{feed.late_s:.1f} s late by this host's clock"
        return Level.WARN, f"{feed.topic} comes at {feed.rate:.1f} Hz and {late}: {_advice(feed.topic)}"
    if silence_level(limits, feed.silent_s, feed.usual_gap_s) > Level.OK:
        silent = f"nothing has come for {feed.silent_s:.0f} s"
        return Level.WARN, f"{feed.topic} is published, but {silent}: {_advice(feed.topic)}"
    return Level.OK, "comes"


def _advice(topic: str) -> str:
    if topic.endswith(CODED_SUFFIXES):
        return "the network is too slow or too lossy for it; see docs/fleet.md"
    coded = f"{topic}/compressed or {topic}/h264" if topic.endswith("image_raw") else f"{topic}/h264"
    return f"the network is too slow for raw pictures; show {coded}, see docs/fleet.md"


def _judge_publishing(one: PublishSnapshot) -> Verdict:
    if one.state is PublishState.ENDED:
        return Level.ERROR, f"{one.stream} is published no more, by a defect of ours: {one.error}"
    if one.state is PublishState.LOST:
        return Level.WARN, f"{one.stream} is not published: {one.error}"
    return Level.OK, str(one.state)

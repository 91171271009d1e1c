"""One viewer of a stream: which rendition it gets, from which key frame on, and what is sent to it twice."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from picam_webrtc.streaming.encode.rendition import FULL, LADDER, LOWEST, Codec, RenditionKey
from picam_webrtc.streaming.fanout.adaptation import CRUSHING_LOSS, Adaptation
from picam_webrtc.streaming.fanout.history import History
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc.streaming.rtp.payloads import PacketizedFrame
from picam_webrtc.streaming.rtp.reports import Report
from picam_webrtc.streaming.rtp.retransmission import RetransmissionBudget

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 8.0
"""A viewer whose connection was full asks for its next key frame after this long, and each time twice as late."""
KEYFRAME_ALLOWANCE = 4
KEYFRAME_ALLOWANCE_REFILL_S = 1.0
"""Key frames are paid for by everyone's picture, so one viewer gets four at once and then one a second."""
DRAIN_S = 0.5
"""A flooded link gets nothing for so long: a key frame sent into its full queue would be lost as well."""
ESTIMATE_MARGIN = 0.85
LEAST_SHARE = 0.4
"""How the smallest rendition's bitrate follows the estimate of its slowest viewer, and how far."""
FILLED = 0.83
"""Of its bitrate, by an encoder that would need more, now and then at least while that rises. A picture at rest stays
below: its receiver estimates half as much again as it is sent, and the margin leaves 0.78.
"""


@dataclass(slots=True)
class ViewerCounts:
    frames_sent: int = 0
    frames_skipped: int = 0
    keyframes_sent: int = 0
    keyframes_asked: int = 0
    packets_asked_again: int = 0
    times_full: int = 0
    rung_changes: int = 0


class KeyframeAllowance:
    """A token bucket for the key frames that one viewer may cause."""

    def __init__(self, now_s: float) -> None:
        self._tokens = float(KEYFRAME_ALLOWANCE)
        self._updated_s = now_s

    def spend(self, now_s: float) -> bool:
        gained = (now_s - self._updated_s) / KEYFRAME_ALLOWANCE_REFILL_S
        self._tokens = min(KEYFRAME_ALLOWANCE, self._tokens + gained)
        self._updated_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Viewer:
    """Receives the frames of `rendition`; changes to `wanted` at that rendition's next key frame."""

    def __init__(
        self,
        codec: Codec,
        outlet: Outlet,
        ask_keyframe: Callable[[RenditionKey], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rendition = self.wanted = RenditionKey(codec, FULL)
        self.outlet = outlet
        self.counts = ViewerCounts()
        self.joined_s = now_s()
        self.report: Report | None = None
        self.sent_bitrate = 0.0
        self.adaptation = Adaptation([rung.bitrate_share for rung in LADDER], self.joined_s)
        self.budget = RetransmissionBudget(self.joined_s)
        self._history: History | None = None
        self._ask_keyframe = ask_keyframe
        self._now_s = now_s
        self._allowance = KeyframeAllowance(self.joined_s)
        self._awaits_keyframe = True
        self._retry_after_s = FIRST_RETRY_S
        self._retry_at_s: float | None = None
        self._drained_at_s = 0.0
        self._measured = self.joined_s, 0

    def take(self, frame: PacketizedFrame, history: History) -> None:
        """Pass on a frame of any rendition, if it is one for this viewer."""
        if frame.keyframe and frame.key == self.wanted != self.rendition:
            self.rendition = self.wanted
            self.counts.rung_changes += 1
        if frame.key != self.rendition:
            return
        if self._awaits_keyframe and (not frame.keyframe or self._now_s() < self._drained_at_s):
            self.counts.frames_skipped += 1
            self._retry_when_due()
            return
        self._history = history
        if self.outlet.send(frame):
            self._sent(frame)
        else:
            self._full()

    def change_to(self, rung: int) -> None:
        """Move to another rung at its next key frame; at once, and after a pause, when the link is flooded."""
        self.wanted = RenditionKey(self.rendition.codec, rung)
        flooded = self.report is not None and self.report.loss >= CRUSHING_LOSS
        if flooded and rung > self.rendition.rung:
            self.rendition = self.wanted
            self.counts.rung_changes += 1
            self._history = None
            self._awaits_keyframe = True
            self._drained_at_s = self._retry_at_s = self._now_s() + DRAIN_S

    def keyframe_requested(self) -> None:
        """The viewer lost the picture (PLI, FIR). Requests beyond its allowance are counted and ignored."""
        now_s = self._now_s()
        self.counts.keyframes_asked += 1
        self.adaptation.on_keyframe_request(now_s)
        if self._allowance.spend(now_s):
            self._ask_keyframe(self.rendition)

    def packets_lost(self, sequences: Iterable[int]) -> None:
        """The viewer misses packets (NACK): send again what is still known, within the budget."""
        now_s = self._now_s()
        for sequence in sequences:
            self.counts.packets_asked_again += 1
            index = self.outlet.packet_index(sequence)
            found = self._history.packet(index) if self._history is not None and index is not None else None
            if index is None or found is None:
                continue
            size = len(found[0].payloads[found[1]])
            rtt_s = self.report.rtt_s if self.report is not None else None
            if self.budget.allows(index, size, now_s, bitrate=self.sent_bitrate, rtt_s=rtt_s):
                self.outlet.resend(*found)

    def reported(self, report: Report) -> None:
        """A receiver report (RFC 3550, section 6.4.1)."""
        self.report = report
        self.adaptation.on_report(report.loss, self._now_s())

    def estimated(self, bitrate: float) -> None:
        """The viewer's estimate of its link (REMB) [bit/s]."""
        self.adaptation.on_estimate(bitrate, self._now_s())

    def fitting_bitrate(self, nominal: int) -> int:
        """What of its rendition's `nominal` bitrate its link takes, as far as is known [bit/s]."""
        estimate = self.adaptation.estimate(self._now_s())
        if estimate is None:
            return nominal
        return round(min(max(ESTIMATE_MARGIN * estimate, LEAST_SHARE * nominal), nominal))

    def decide(self, nominal: int) -> int:
        """The rung this viewer should be on, instead of one of `nominal` bit/s; to be called about twice a second."""
        now_s = self._now_s()
        since_s, before = self._measured
        sent = self.outlet.counts.bytes
        if now_s - since_s >= 1.0 or not self.sent_bitrate:
            self.sent_bitrate = 8 * (sent - before) / max(now_s - since_s, 0.1)
            self._measured = now_s, sent
        fitting = self.fitting_bitrate(nominal)
        squeezed = self.rendition.rung == LOWEST and fitting < nominal and self.sent_bitrate >= FILLED * fitting
        return self.adaptation.decide(self.sent_bitrate, now_s, squeezed=squeezed)

    def _sent(self, frame: PacketizedFrame) -> None:
        self.counts.frames_sent += 1
        self._awaits_keyframe = False
        if frame.keyframe:
            self.counts.keyframes_sent += 1
            self.budget.forget()
            self._retry_at_s = None
        elif self._retry_at_s is None:
            self._retry_after_s = FIRST_RETRY_S

    def _full(self) -> None:
        now_s = self._now_s()
        self.counts.times_full += 1
        self.counts.frames_skipped += 1
        self.adaptation.on_full(now_s)
        self._awaits_keyframe = True
        self._retry_at_s = now_s + self._retry_after_s
        self._retry_after_s = min(2 * self._retry_after_s, LONGEST_RETRY_S)

    def _retry_when_due(self) -> None:
        now_s = self._now_s()
        if self._retry_at_s is not None and now_s >= self._retry_at_s:
            self._retry_at_s = now_s + self._retry_after_s
            self._ask_keyframe(self.rendition)

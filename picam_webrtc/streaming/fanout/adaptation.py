"""Which rendition a viewer can take, from what it reports: a pure state machine, told the time."""

from collections.abc import Sequence

HEAVY_LOSS, CRUSHING_LOSS = 0.10, 0.35
"""Fractions of packets. Up to the first, retransmission repairs a link that is merely noisy."""
SUSTAINED_S = 1.5
"""How long heavy loss must last."""
LOW_ESTIMATE, ROOMY_ESTIMATE = 0.9, 1.1
"""The viewer's estimate of its link, as a share of what it is sent."""
LOW_ESTIMATE_S = 1.0
ESTIMATE_LIFE_S = 6.0
SETTLING_S = 2.0
"""After a change, reports still speak of the time before it."""
FIRST_CALM_S, LONGEST_CALM_S = 8.0, 120.0
"""How long a viewer must be calm to try a higher rung; doubled whenever the try fails."""
TRIAL_S = 10.0
DESPERATE_REQUESTS, DESPERATE_S = 4, 3.0
"""So many lost pictures within so short a time are a sign in themselves."""


class Adaptation:
    """Chooses a rung of the ladder for one viewer.

    Down on sustained loss, a low estimate, a full socket or a picture lost again and again; up, one rung at a time,
    after calm. `shares` are the rungs' shares of the bitrate, from best to smallest.
    """

    def __init__(self, shares: Sequence[float], now_s: float) -> None:
        self.rung = 0
        self.loss = 0.0
        self._shares = tuple(shares)
        self._changed_s = now_s - SETTLING_S
        self._heavy_since_s: float | None = None
        self._low_since_s: float | None = None
        self._calm_since_s = now_s
        self._calm_needed_s = FIRST_CALM_S
        self._raised_s: float | None = None
        self._estimate: tuple[float, float] | None = None
        self._requests_s: list[float] = []

    def on_report(self, loss: float, now_s: float) -> None:
        self.loss = loss if loss > self.loss else 0.5 * (self.loss + loss)
        if self.loss < HEAVY_LOSS:
            self._heavy_since_s = None
        elif self._heavy_since_s is None:
            self._heavy_since_s = now_s
        if loss >= HEAVY_LOSS:
            self._calm_since_s = now_s

    def on_estimate(self, bitrate: float, now_s: float) -> None:
        """The viewer's estimate of what its link carries (REMB) [bit/s]."""
        self._estimate = bitrate, now_s

    def on_keyframe_request(self, now_s: float) -> None:
        self._requests_s = [*(asked for asked in self._requests_s if now_s - asked < DESPERATE_S), now_s]

    def on_full(self, now_s: float) -> None:
        """The socket took no more: the link is slower than the stream."""
        self._calm_since_s = now_s
        if now_s - self._changed_s >= SETTLING_S:
            self._move(min(self.rung + 1, len(self._shares) - 1), now_s)

    def estimate(self, now_s: float) -> float | None:
        """The viewer's estimate, unless it is old [bit/s]."""
        if self._estimate is None or now_s - self._estimate[1] > ESTIMATE_LIFE_S:
            return None
        return self._estimate[0]

    def decide(self, sent_bitrate: float, now_s: float, *, squeezed: bool = False) -> int:
        """The rung for now; `sent_bitrate` is what the viewer was sent in the last second [bit/s].

        Estimates are compared with what is sent and not with what is allowed, because a receiver cannot
        know of more than it gets: a picture at rest needs few bits, and its estimate is low. `squeezed`: the rung
        itself is encoded with fewer bits than it should be for this link's sake, so that a higher one is not for it.
        """
        estimate = self.estimate(now_s)
        is_low = estimate is not None and estimate < LOW_ESTIMATE * sent_bitrate
        self._low_since_s = (self._low_since_s or now_s) if is_low else None
        if is_low or squeezed:
            self._calm_since_s = now_s
        if now_s - self._changed_s >= SETTLING_S:
            wanted = self._wanted(estimate, sent_bitrate, now_s)
            if wanted != self.rung:
                self._move(wanted, now_s)
        return self.rung

    def _wanted(self, estimate: float | None, sent_bitrate: float, now_s: float) -> int:
        lowest = len(self._shares) - 1
        if self._low_since_s is not None and now_s - self._low_since_s >= LOW_ESTIMATE_S and estimate is not None:
            return self._fitting(estimate, sent_bitrate)
        if self._heavy_since_s is not None:
            if self.loss >= CRUSHING_LOSS:
                return lowest if estimate is None else self._fitting(estimate, sent_bitrate)
            if now_s - self._heavy_since_s >= SUSTAINED_S:
                return min(self.rung + 1, lowest)
        recent = [asked for asked in self._requests_s if now_s - asked < DESPERATE_S]
        if len(recent) >= DESPERATE_REQUESTS:
            return min(self.rung + 1, lowest)
        roomy = estimate is None or estimate >= ROOMY_ESTIMATE * sent_bitrate
        if self.rung and roomy and now_s - self._calm_since_s >= self._calm_needed_s:
            return self.rung - 1
        return self.rung

    def _fitting(self, estimate: float, sent_bitrate: float) -> int:
        """The best rung whose bitrate would fit the estimate; one lower at least."""
        for rung in range(self.rung + 1, len(self._shares)):
            if sent_bitrate * self._shares[rung] / self._shares[self.rung] <= estimate:
                return rung
        return len(self._shares) - 1

    def _move(self, rung: int, now_s: float) -> None:
        if rung > self.rung and self._raised_s is not None:
            failed = now_s - self._raised_s < TRIAL_S
            self._calm_needed_s = min(2 * self._calm_needed_s, LONGEST_CALM_S) if failed else FIRST_CALM_S
        self._raised_s = now_s if rung < self.rung else None
        self.rung = rung
        self.loss = 0.0
        self._heavy_since_s = self._low_since_s = None
        self._requests_s = []
        self._changed_s = self._calm_since_s = now_s

"""Which lost packets are worth sending again. Without a limit, a narrow link fills up with packets sent twice."""

from collections import OrderedDict

BUDGET_SHARE = 0.15
"""Of the bitrate; trials behind a narrow link collapsed without such a limit."""
BUDGET_DEPTH_S = 0.5
"""Unspent budget that may be saved up."""
SMALLEST_DEPTH = 3 * 1200
LEAST_RTT_S, ASSUMED_RTT_S, LONGEST_RTT_S = 0.01, 0.1, 1.0
MOST_REMEMBERED = 512


class RetransmissionBudget:
    """At most 15 % of the bitrate, and each packet at most once per round trip."""

    def __init__(self, now_s: float) -> None:
        self.refused = 0
        self._updated_s = now_s
        self._tokens = 0.0
        self._filled = False
        self._resent_s: OrderedDict[int, float] = OrderedDict()

    def allows(self, index: int, size: int, now_s: float, *, bitrate: float, rtt_s: float | None) -> bool:
        """Whether packet `index` of `size` bytes may be sent again now; if so, it is paid for."""
        self._refill(now_s, bitrate)
        round_trip_s = ASSUMED_RTT_S if rtt_s is None else min(max(rtt_s, LEAST_RTT_S), LONGEST_RTT_S)
        last_s = self._resent_s.get(index)
        if (last_s is not None and now_s - last_s < round_trip_s) or size > self._tokens:
            self.refused += 1
            return False
        self._tokens -= size
        self._resent_s[index] = now_s
        self._resent_s.move_to_end(index)
        if len(self._resent_s) > MOST_REMEMBERED:
            self._resent_s.popitem(last=False)
        return True

    def forget(self) -> None:
        """A key frame went out: nothing before it is asked for again."""
        self._resent_s.clear()

    def _refill(self, now_s: float, bitrate: float) -> None:
        bytes_per_s = bitrate / 8 * BUDGET_SHARE
        depth = max(SMALLEST_DEPTH, bytes_per_s * BUDGET_DEPTH_S)
        gained = bytes_per_s * (now_s - self._updated_s) if self._filled else depth
        self._tokens = min(depth, self._tokens + gained)
        self._updated_s = now_s
        self._filled = True

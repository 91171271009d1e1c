"""The arithmetic of sender and receiver reports (RFC 3550, section 6.4)."""

from dataclasses import dataclass

from picam_webrtc.streaming.encode.clock import NANOSECONDS
from picam_webrtc.streaming.encode.rendition import VIDEO_CLOCK_HZ, EncodedFrame

NTP_EPOCH_S = 2_208_988_800
"""From 1900, where NTP counts from, to 1970."""
OLDEST_FRAME_NS = 10 * NANOSECONDS
FRACTION = 65536
"""Round trips are counted in 1/65536 s."""
MEMORY = 8


@dataclass(frozen=True, slots=True)
class Report:
    """What a viewer's receiver report says: `loss` since the last one (0 to 1), `packets_lost` in all."""

    loss: float
    packets_lost: int
    jitter_s: float
    rtt_s: float | None


def ntp_time(time_ns: int) -> int:
    """64-bit NTP timestamp."""
    seconds, rest = divmod(time_ns, NANOSECONDS)
    return (seconds + NTP_EPOCH_S) << 32 | (rest << 32) // NANOSECONDS


def make_report(fraction_lost: int, packets_lost: int, jitter: int, rtt_s: float | None) -> Report:
    """From the fields of a report block, as they are on the wire."""
    return Report(fraction_lost / 256, packets_lost, jitter / VIDEO_CLOCK_HZ, rtt_s)


class SenderClock:
    """Stamps sender reports, and measures round trips by the reports that refer to them."""

    def __init__(self) -> None:
        self._sent_ns: dict[int, int] = {}

    def stamp(self, newest: EncodedFrame | None, now_ns: int) -> tuple[int, int]:
        """NTP time now, and the RTP timestamp that a frame captured now would have.

        So a viewer can tell a frame's capture time from its timestamp. Where stamps are no wall clock (a replayed
        recording), the frame counts as captured when it was coded.
        """
        ntp = ntp_time(now_ns)
        self._sent_ns[ntp >> 16 & 0xFFFFFFFF] = now_ns
        while len(self._sent_ns) > MEMORY:
            del self._sent_ns[next(iter(self._sent_ns))]
        if newest is None:
            return ntp, 0
        age_ns = now_ns - newest.stamp_ns
        if not 0 <= age_ns <= OLDEST_FRAME_NS:
            age_ns = now_ns - newest.encoded_ns
        return ntp, (newest.timestamp + age_ns * VIDEO_CLOCK_HZ // NANOSECONDS) & 0xFFFFFFFF

    def round_trip_s(self, last_report: int, delay: int, now_ns: int) -> float | None:
        """From a receiver report's `lsr` and `dlsr`; None where it refers to no report of ours."""
        sent_ns = self._sent_ns.get(last_report)
        if sent_ns is None:
            return None
        return max(0.0, (now_ns - sent_ns) / NANOSECONDS - delay / FRACTION)

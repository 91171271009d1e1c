"""Lost packets are sent again, within limits."""

from picam_webrtc.streaming.rtp.retransmission import MOST_REMEMBERED, RetransmissionBudget

BITRATE = 2_000_000.0


def allowed(budget: RetransmissionBudget, indices: range, now_s: float, rtt_s: float | None = 0.05) -> int:
    return sum(budget.allows(index, 1200, now_s, bitrate=BITRATE, rtt_s=rtt_s) for index in indices)


def test_a_packet_is_sent_again_at_most_once_a_round_trip() -> None:
    budget = RetransmissionBudget(0)

    assert [allowed(budget, range(1), time_s) for time_s in (0, 0.01, 0.04, 0.06, 0.07)] == [1, 0, 0, 1, 0]
    assert budget.refused == 3


def test_an_unknown_round_trip_is_taken_for_a_long_one() -> None:
    budget = RetransmissionBudget(0)

    assert [allowed(budget, range(1), time_s, rtt_s=None) for time_s in (0, 0.09, 0.11)] == [1, 0, 1]


def test_all_in_all_it_is_no_more_than_fifteen_percent_of_the_bitrate() -> None:
    budget = RetransmissionBudget(0)
    sent = sum(allowed(budget, range(10 * step, 10 * step + 10), step * 0.02) for step in range(500))

    assert sent * 1200 * 8 / 10 <= 0.15 * BITRATE * 1.1
    assert sent * 1200 * 8 / 10 >= 0.15 * BITRATE * 0.9


def test_a_key_frame_makes_a_fresh_start() -> None:
    budget = RetransmissionBudget(0)
    allowed(budget, range(1), 0)
    budget.forget()

    assert allowed(budget, range(1), 0.001) == 1


def test_even_a_stream_at_rest_may_send_a_frame_again() -> None:
    budget = RetransmissionBudget(0)

    assert budget.allows(0, 1200, 0.0, bitrate=0.0, rtt_s=0.05)


def test_memory_is_bounded() -> None:
    budget = RetransmissionBudget(0)
    for index in range(3 * MOST_REMEMBERED):
        budget.allows(index, 1, index * 0.01, bitrate=BITRATE, rtt_s=0.05)

    assert len(budget._resent_s) == MOST_REMEMBERED

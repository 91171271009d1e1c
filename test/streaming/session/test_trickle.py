"""Fragments of candidates, as RFC 8840 has them."""

import pytest

from picam_webrtc.errors import MalformedOffer
from picam_webrtc.streaming.session.trickle import MOST_CANDIDATES, parse_fragment, without_candidates

HOST = "1 1 udp 2130706431 192.0.2.7 50000 typ host"


def test_a_fragment_of_a_browser_is_understood() -> None:
    fragment = parse_fragment(
        f"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        f"a=candidate:{HOST}\r\na=candidate:2 1 UDP 1 a-b.local 6000 typ host generation 0\r\na=end-of-candidates\r\n"
    )

    assert fragment.candidates == (HOST, "2 1 UDP 1 a-b.local 6000 typ host generation 0")
    assert fragment.ufrag == "EsAw"


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 tcp 1 192.0.2.7 9 typ host tcptype active",
        "1 1 udp 1 robot.example.org 9 typ host",
        "1 1 udp 1 192.0.2.7 9 typ prflx",
        "1 2 udp 1 192.0.2.7 9 typ host",
    ],
)
def test_a_candidate_of_no_use_is_left_out_silently(candidate: str) -> None:
    assert parse_fragment(f"a=candidate:{candidate}").candidates == ()


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "a=candidate:",
        "a=candidate:1 1 udp x 192.0.2.7 9 typ host",
        "a=candidate:1 1 udp 1 192.0.2.7 70000 typ host",
        "a=candidate:1 1 udp 1 192.0.2.7 9 typ guest",
        f"a=candidate:{HOST}\r\n" * (MOST_CANDIDATES + 1),
    ],
)
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(MalformedOffer):
        parse_fragment(text)


def test_a_description_is_parted_from_the_candidates_of_its_first_section() -> None:
    rest, fragment = without_candidates(
        f"v=0\r\nm=video 9 RTP/AVP 0\r\na=candidate:{HOST}\r\na=end-of-candidates\r\na=mid:0\r\n"
        "m=audio 9 RTP/AVP 0\r\na=candidate:2 1 udp 1 192.0.2.8 9 typ host\r\na=mid:1\r\n"
    )

    assert rest == "v=0\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
    assert fragment.candidates == (HOST,)

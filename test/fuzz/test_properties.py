"""Whatever text comes, the readers of what viewers send raise nothing but their own errors."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from picam_webrtc.errors import MalformedOffer
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.session.trickle import parse_fragment, without_candidates
from picam_webrtc.web.auth import Role, Tokens
from picam_webrtc.web.limits import address_key
from picam_webrtc.web.origins import load_origins

CANDIDATE = ("a=candidate:", "1", " ", "udp", "host", "typ", "x.local", "192.0.2.1", "::1", "%")
WORDS = st.sampled_from((*CANDIDATE, "\r\n", "\n", "m=video", "a=mid:0"))
TEXTS = st.text() | st.lists(WORDS | st.text(max_size=4)).map("".join)
ORIGINS = load_origins(WebRtcSettings(allowed_origins=("https://panel.example.com",)))
TOKENS = Tokens("viewer-token-1", "operator-token-1")


@given(TEXTS)
def test_fragments_and_descriptions(text: str) -> None:
    with suppress(MalformedOffer):
        parse_fragment(text)
    with suppress(MalformedOffer):
        rest, _ = without_candidates(text)
        assert "a=candidate:" not in rest.split("\r\n")


@given(TEXTS, TEXTS)
def test_hosts_and_origins(host: str, origin: str) -> None:
    if ORIGINS.knows(host):
        assert not set(host) & set("/\\<> \r\n\x00")
    if ORIGINS.allows(origin, "robot:8080"):
        assert origin.lower().endswith(("://robot:8080", "https://panel.example.com"))


@given(st.text(alphabet=st.characters(codec="utf-8") | st.characters(categories=["Cs"])))
def test_tokens(shown: str) -> None:
    assert TOKENS.role(shown) is Role.NOBODY
    assert TOKENS.role_of_cookie(shown) is Role.NOBODY


@given(st.text() | st.ip_addresses().map(str))
def test_addresses(address: str) -> None:
    assert address_key(address_key(address)) == address_key(address)

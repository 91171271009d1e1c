"""Trickled ICE candidates: the SDP fragments of RFC 8840."""

import ipaddress
from dataclasses import dataclass

from picam_webrtc.errors import MalformedOffer

MOST_CANDIDATES = 64
CANDIDATE_TYPES = frozenset({"host", "srflx", "prflx", "relay"})


@dataclass(frozen=True, slots=True)
class SdpFragment:
    """Candidates as the text after `a=candidate:`; `complete` when no more will come."""

    candidates: tuple[str, ...] = ()
    complete: bool = False
    ufrag: str = ""


def parse_fragment(text: str) -> SdpFragment:
    """Raises MalformedOffer. Candidates over TCP and those that are neither address nor .local name are left out."""
    candidates: list[str] = []
    complete, ufrag = False, ""
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=candidate":
            _check_candidate(value)
            if _usable(value):
                candidates.append(value)
        elif name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=end-of-candidates":
            complete = True
        elif name and name[1:2] != "=":
            raise MalformedOffer(f"not an SDP fragment: {line.strip()[:80]!r}")
    if len(candidates) > MOST_CANDIDATES:
        raise MalformedOffer(f"{len(candidates)} candidates; at most {MOST_CANDIDATES} are taken")
    return SdpFragment(tuple(candidates), complete, ufrag)


def _check_candidate(value: str) -> None:
    """RFC 8839, section 5.1: foundation component transport priority address port typ type."""
    words = value.split()
    numbers = [words[index] for index in (1, 3, 5)] if len(words) >= 8 else []
    sound = bool(numbers) and all(number.isascii() and number.isdigit() for number in numbers)
    if not sound or words[6] != "typ" or words[7] not in CANDIDATE_TYPES or not 0 <= int(words[5]) <= 65535:
        raise MalformedOffer(f"not an ICE candidate: {value[:80]!r}")


def _usable(value: str) -> bool:
    words = value.split()
    if words[2].lower() != "udp" or words[7] == "prflx":
        return False
    if words[4].endswith(".local"):
        return True
    try:
        ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return True

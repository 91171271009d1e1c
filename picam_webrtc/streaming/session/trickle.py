"""A viewer's ICE candidates, in SDP fragments (RFC 8840) and in whole descriptions.

That there will be no more of them is not passed on: aioice would then give up where it knows no address of the viewer,
as behind mDNS names of another network, although the viewer may well reach us.
"""

import ipaddress
from dataclasses import dataclass

from picam_webrtc.errors import MalformedOffer

CANDIDATE = "a=candidate:"
MOST_CANDIDATES = 64
CANDIDATE_TYPES = frozenset({"host", "srflx", "prflx", "relay"})


@dataclass(frozen=True, slots=True)
class SdpFragment:
    """Candidates as the text after `a=candidate:`."""

    candidates: tuple[str, ...] = ()
    ufrag: str = ""


def parse_fragment(text: str) -> SdpFragment:
    """Raises MalformedOffer.

    Candidates over TCP, for RTCP alone, and with neither address nor .local name are left out.
    """
    candidates: list[str] = []
    ufrag = ""
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=candidate":
            _check_candidate(value)
            if _usable(value):
                candidates.append(value)
        elif name == "a=ice-ufrag":
            ufrag = value
        elif name and name[1:2] != "=":
            raise MalformedOffer(f"not an SDP fragment: {line.strip()[:80]!r}")
    if len(candidates) > MOST_CANDIDATES:
        raise MalformedOffer(f"{len(candidates)} candidates; at most {MOST_CANDIDATES} are taken")
    return SdpFragment(tuple(candidates), ufrag)


def without_candidates(description: str) -> tuple[str, SdpFragment]:
    """The description less all candidates, and those of the section that carries the bundle. Raises MalformedOffer."""
    # Not splitlines(), which takes more for a line's end than SDP does.
    lines = description.replace("\r\n", "\n").split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
    carrier = lines[: starts[1]] if len(starts) > 1 else lines
    fragment = parse_fragment("\n".join(line for line in carrier if line.startswith(CANDIDATE)))
    rest = [line for line in lines if not line.startswith((CANDIDATE, "a=end-of-candidates"))]
    return "\r\n".join(rest), fragment


def _check_candidate(value: str) -> None:
    """RFC 8839, section 5.1: foundation component transport priority address port typ type."""
    words = value.split()
    numbers = [words[index] for index in (1, 3, 5)] if len(words) >= 8 else []
    sound = bool(numbers) and all(number.isascii() and number.isdigit() for number in numbers)
    if not sound or words[6] != "typ" or words[7] not in CANDIDATE_TYPES or not 0 <= int(words[5]) <= 65535:
        raise MalformedOffer(f"not an ICE candidate: {value[:80]!r}")


def _usable(value: str) -> bool:
    words = value.split()
    # With rtcp-mux, which we insist on, there is one component.
    if int(words[1]) != 1 or words[2].lower() != "udp" or words[7] == "prflx":
        return False
    if words[4].endswith(".local"):
        return True
    try:
        ipaddress.ip_address(words[4])
    except ValueError:
        return False
    return True

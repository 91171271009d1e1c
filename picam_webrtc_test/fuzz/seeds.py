"""What real viewers sent, to be damaged; recorded from Chromium, Firefox, GStreamer and libwebrtc."""

import re
from pathlib import Path
from struct import pack

from aiortc.rtp import RtcpByePacket, RtcpPsfbPacket, RtcpRtpfbPacket, RtcpSdesPacket, RtcpSourceInfo, pack_remb_fci

FOLDER = Path(__file__).parent / "seeds"
SENDER, MEDIA = 1, 2


def recorded(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(FOLDER.glob(pattern))]


OFFERS = recorded("offer_*.sdp")
ANSWERS = recorded("answer_*.sdp")
UFRAG = re.compile(rb"a=ice-ufrag:\S+")
OWN_UFRAG = UFRAG.findall(OFFERS[0])[0]
FRAGMENTS = [UFRAG.sub(OWN_UFRAG, fragment) for fragment in recorded("fragment_*.sdpfrag")]
"""As if the viewer of the first offer had sent them."""


def rtcp_packets(ssrc: int) -> list[bytes]:
    """Reports as browsers send them, and each kind of feedback about the stream `ssrc`."""
    feedback = (
        RtcpRtpfbPacket(1, SENDER, ssrc, [7, 8, 9]),
        RtcpPsfbPacket(1, SENDER, ssrc),
        RtcpPsfbPacket(4, SENDER, 0, pack(">LB3x", ssrc, 1)),
        RtcpPsfbPacket(15, SENDER, 0, pack_remb_fci(500_000, [ssrc])),
        RtcpSdesPacket([RtcpSourceInfo(SENDER, [(1, b"viewer")])]),
        RtcpByePacket([SENDER]),
    )
    return [*recorded("rtcp_*.bin"), *(bytes(packet) for packet in feedback)]


def requests(session_path: str) -> list[bytes]:
    """Whole HTTP requests, as a browser writes them."""
    head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nCookie: picam_webrtc_80=x; a=b\r\n"
    sdp = "Content-Type: application/sdp\r\n"
    patch = 'Content-Type: application/trickle-ice-sdpfrag\r\nIf-Match: "x"\r\n'
    answer = '{"sdp": "v=0\\r\\n", "type": "answer"}'
    bodies = (
        (f"POST /whep HTTP/1.1\r\n{head}{sdp}", OFFERS[0].decode()),
        (f"POST /whep/processed?token=wrong HTTP/1.1\r\n{head}Authorization: Bearer x\r\n{sdp}", "v=0\r\n"),
        (f"PATCH {session_path} HTTP/1.1\r\n{head}{patch}", FRAGMENTS[0].decode()),
        (f"POST /webrtc/x HTTP/1.1\r\n{head}Content-Type: application/json\r\n", answer),
    )
    bare = (
        *(
            f"GET /{path} HTTP/1.1\r\n{head}"
            for path in ("", "streams", "metrics", "whep", "readyz", "viewer.js?a=%20")
        ),
        f"OPTIONS /whep HTTP/1.1\r\n{head}Origin: http://x\r\nAccess-Control-Request-Method: POST\r\n",
        f'GET / HTTP/1.1\r\n{head}Range: bytes=0-9\r\nIf-None-Match: "x"\r\n',
        f"GET /snapshot/processed.jpg HTTP/1.1\r\n{head}Expect: 100-continue\r\nUpgrade: websocket\r\n",
    )
    whole = [f"{start}Content-Length: {len(body)}\r\n\r\n{body}".encode() for start, body in bodies]
    chunked = f"{bodies[0][0]}Transfer-Encoding: chunked\r\n\r\n5\r\nv=0\r\n\r\n0\r\n\r\n".encode()
    return [*whole, chunked, *(f"{start}\r\n".encode() for start in bare)]

"""The private members of foreign libraries that this package uses. Any release of theirs may change them.

test/test_private_members.py holds this table against the package, which uses no other, and against what is installed.
"""

from dataclasses import dataclass

RTP_SENDER = "aiortc.rtcrtpsender.RTCRtpSender"
DTLS_TRANSPORT = "aiortc.rtcdtlstransport.RTCDtlsTransport"
ICE_TRANSPORT = "aiortc.rtcicetransport.RTCIceTransport"
ICE_CONNECTION = "aioice.ice.Connection"


@dataclass(frozen=True, slots=True)
class PrivateMember:
    """`owner` is a module or a class by its full name; `parameters` are those of a method that is replaced.

    One that is not `needed` is looked for where it is used, and done without where it is missing.
    """

    owner: str
    name: str
    why: str
    parameters: tuple[str, ...] = ()
    needed: bool = True

    @property
    def library(self) -> str:
        return self.owner.partition(".")[0]

    @property
    def short_name(self) -> str:
        return f"{self.owner.rpartition('.')[2]}.{self.name}"


PRIVATE_MEMBERS = (
    PrivateMember(RTP_SENDER, "_run_rtp", "its packet loop, in whose place our outlet sends", ("self", "codec")),
    PrivateMember(RTP_SENDER, "_send_rtcp", "sender reports get the outlet's counts and times", ("self", "packets")),
    PrivateMember(RTP_SENDER, "_handle_rtcp_packet", "feedback goes to the viewer's session", ("self", "packet")),
    PrivateMember(RTP_SENDER, "_ssrc", "negotiated for the packets that our outlet numbers"),
    PrivateMember(RTP_SENDER, "_rtx_ssrc", "the same for retransmissions"),
    PrivateMember(RTP_SENDER, "_RTCRtpSender__rtp_started", "the packet loop has to say that it runs"),
    PrivateMember(RTP_SENDER, "_RTCRtpSender__rtp_exited", "the packet loop has to say that it has ended"),
    PrivateMember(DTLS_TRANSPORT, "_tx_srtp", "the SRTP session that encrypts for this viewer"),
    PrivateMember(DTLS_TRANSPORT, "_rtp_router", "hands feedback that names no stream to our sender"),
    PrivateMember(DTLS_TRANSPORT, "_role", "to be the DTLS server where the viewer leaves the choice", needed=False),
    PrivateMember(DTLS_TRANSPORT, "_set_role", "the same", needed=False),
    PrivateMember(ICE_TRANSPORT, "_connection", "aioice's connection, whose socket our packets go into"),
    PrivateMember(ICE_CONNECTION, "_nominated", "the pair of addresses that ICE has chosen"),
    PrivateMember("pylibsrtp", "_binding", "libsrtp itself, which encrypts in place; else by copies", needed=False),
    PrivateMember("pylibsrtp.Session", "_srtp", "libsrtp's context of a session; else by copies", needed=False),
    PrivateMember(
        *("aiohttp.web_urldispatcher.AbstractRoute", "_expect_handler"),
        "its own refusal of the header Expect repeats it, and fails where that is no text",
    ),
    PrivateMember(
        *("ai_edge_litert.interpreter.Interpreter", "_get_ops_details"),
        "finds the operator that lists boxes; else the order of outputs is told by names and shapes",
        needed=False,
    ),
    PrivateMember("tflite_runtime.interpreter.Interpreter", "_get_ops_details", "the same", needed=False),
)

"""Whether the installed aiortc is one that `DirectSender` fits into."""

import inspect

import aiortc
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc import rtp as aiortc_rtp

from picam_webrtc.dependencies import DEPENDENCIES, remedy
from picam_webrtc.errors import DependencyError
from picam_webrtc.private_members import (
    DTLS_TRANSPORT,
    ICE_CONNECTION,
    ICE_TRANSPORT,
    PRIVATE_MEMBERS,
    RTP_SENDER,
    PrivateMember,
)

RTCP_NAMES = (
    *("RtcpSrPacket", "RtcpRrPacket", "RtcpRtpfbPacket", "RtcpPsfbPacket", "unpack_remb_fci"),
    *("RTCP_RTPFB_NACK", "RTCP_PSFB_PLI", "RTCP_PSFB_FIR", "RTCP_PSFB_APP"),
)


SEND_PARAMETERS = ("self", "parameters")


def check_aiortc() -> None:
    """Raises DependencyError when something of this aiortc is not as our outlet needs it."""
    if tuple(inspect.signature(RTCRtpSender.send).parameters) != SEND_PARAMETERS:
        raise _unusable("RTCRtpSender.send")
    for name in RTCP_NAMES:
        if not hasattr(aiortc_rtp, name):
            raise _unusable(f"rtp.{name}")
    owners = _owners()
    for member in PRIVATE_MEMBERS:
        if member.needed and member.owner in owners and not _fits(member, owners[member.owner]):
            raise _unusable(member.short_name)


def _owners() -> dict[str, object]:
    """An object of each class that has members which we need."""
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[])).addTransceiver("video").sender
    ice = sender.transport.transport
    connection = getattr(ice, "_connection", None)
    return {RTP_SENDER: sender, DTLS_TRANSPORT: sender.transport, ICE_TRANSPORT: ice, ICE_CONNECTION: connection}


def _fits(member: PrivateMember, owner: object) -> bool:
    if not hasattr(owner, member.name):
        return False
    if not member.parameters:
        return True
    method = getattr(type(owner), member.name)
    return tuple(inspect.signature(method).parameters) == member.parameters


def _unusable(member: str) -> DependencyError:
    return DependencyError(
        f"aiortc {aiortc.__version__} cannot be used: its {member} is missing or different; to get a version that is "
        f"known to work, {remedy(one for one in DEPENDENCIES if one.module == 'aiortc')}"
    )

"""What of a session description is chosen by us, in aiortc's terms: codecs, header extensions, what is read at all."""

from collections.abc import Sequence

from aiortc import RTCRtpSender, sdp
from aiortc import codecs as aiortc_codecs
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpHeaderExtensionParameters

from picam_webrtc.errors import MalformedOffer
from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.rtp.header import PLAYOUT_DELAY_URI
from picam_webrtc.streaming.session.description import check, formats, one_line


def negotiate_playout_delay() -> None:
    """Have aiortc negotiate the playout delay header extension, by which browsers show frames without a delay."""
    extensions = getattr(aiortc_codecs, "HEADER_EXTENSIONS", {}).get("video", [])
    if extensions and not any(extension.uri == PLAYOUT_DELAY_URI for extension in extensions):
        number = max(extension.id for extension in extensions) + 1
        extensions.append(RTCRtpHeaderExtensionParameters(id=number, uri=PLAYOUT_DELAY_URI))


def preferences(codecs: Sequence[Codec]) -> list[RTCRtpCodecCapability]:
    """Our codecs in our order, with retransmission."""
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    return [one for mime in formats(codecs) for one in capabilities if one.mimeType.lower() == mime]


def parsed(text: str) -> sdp.SessionDescription:
    """A description that can be connected to. Raises MalformedOffer."""
    try:
        description = sdp.SessionDescription.parse(text)
    except Exception as error:
        raise MalformedOffer(f"not a session description: {one_line(error)}") from error
    check(description)
    return description

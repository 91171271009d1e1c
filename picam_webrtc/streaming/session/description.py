"""Which session descriptions can be used. They come parsed; only their shape matters here."""

from collections.abc import Sequence
from typing import Any

from picam_webrtc.errors import MalformedOffer, UnusableOffer
from picam_webrtc.streaming.encode.rendition import Codec

MIME_TYPES = {Codec.H264: "video/h264", Codec.VP8: "video/vp8"}
RTX_MIME_TYPE = "video/rtx"
MOST_SECTIONS = 16


def check(description: Any) -> None:
    """Raises MalformedOffer unless every media section can be connected to."""
    if not 0 < len(description.media) <= MOST_SECTIONS:
        raise MalformedOffer(f"a session description with {len(description.media)} media sections")
    for media in description.media:
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise MalformedOffer("the session description has no ICE user name or password")
        if media.dtls is None or not media.dtls.fingerprints:
            raise MalformedOffer("the session description has no DTLS fingerprint")
    _check_names(description)


def _check_names(description: Any) -> None:
    """Sections have names of their own, and a bundle has only sections that there are (RFC 9143)."""
    names = [media.rtp.muxId for media in description.media]
    if len(set(names)) < len(names):
        raise MalformedOffer("two sections of the session description have the same a=mid")
    bundled = {name for group in description.group if group.semantic == "BUNDLE" for name in group.items}
    if not bundled <= set(names):
        raise MalformedOffer("the session description bundles sections that it does not have")


def video_of(description: Any, what: str) -> Any:
    """The first video section, which must want to receive if it is an offer's. Raises UnusableOffer."""
    videos = [media for media in description.media if media.kind == "video"]
    if not videos:
        raise UnusableOffer(f"the {what} has no video section")
    if what == "offer" and videos[0].direction not in (None, "recvonly", "sendrecv"):
        raise UnusableOffer(f"the offer's video is {videos[0].direction}; it must be recvonly or sendrecv")
    return videos[0]


def first_common(media: Any, codecs: Sequence[Codec], what: str) -> Codec:
    """The first of our codecs that the viewer has, too. Raises UnusableOffer."""
    offered = {codec.mimeType.lower() for codec in media.rtp.codecs if _packetized_as_ours(codec)}
    for codec in codecs:
        if MIME_TYPES[codec] in offered:
            return codec
    raise UnusableOffer(f"the {what} has none of our codecs: {', '.join(codecs)}")


def one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__


def formats(codecs: Sequence[Codec]) -> list[str]:
    """MIME types in our order of preference, with retransmission."""
    return [*(MIME_TYPES[codec] for codec in codecs), RTX_MIME_TYPE]


def retransmits(other: Any, codec: Any) -> bool:
    """Whether `other` is the retransmission format (RFC 4588) of `codec`."""
    return bool(other.mimeType.lower() == RTX_MIME_TYPE and other.parameters.get("apt") == codec.payloadType)


def _packetized_as_ours(codec: Any) -> bool:
    """H.264 in single NAL units only (mode 0, RFC 6184) cannot carry our key frames."""
    is_h264 = codec.mimeType.lower() == MIME_TYPES[Codec.H264]
    return not is_h264 or codec.parameters.get("packetization-mode") == "1"

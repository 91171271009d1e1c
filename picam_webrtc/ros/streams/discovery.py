"""Which of a robot's topics are pictures worth serving, and under which name."""

from collections.abc import Iterable, Iterator, Mapping

from picam_webrtc.ros.streams.network_report import CODED_SUFFIXES
from picam_webrtc.ros.streams.stream_topic import COMPRESSED_IMAGE, IMAGE

UNDECODABLE_SUFFIXES = ("/compressedDepth", "/theora", "/ffmpeg", "/zstd")
"""Transports whose messages are CompressedImage by type and something of their own inside."""


def picture_topics(topics: Mapping[str, Iterable[str]], served: Iterable[str] = ()) -> list[str]:
    """Of all topics (name → types) those with pictures that are not `served` yet, each picture in one form, sorted."""
    found = {name for name, types in topics.items() if {IMAGE, COMPRESSED_IMAGE} & set(types)}
    known = found | set(served)
    return sorted(
        name
        for name in found - set(served)
        if not name.endswith(UNDECODABLE_SUFFIXES) and not any(other in known for other in _better_forms(name))
    )


def _better_forms(topic: str) -> Iterator[str]:
    """The topic that this one is another form of, and other forms of it that are preferred to this."""
    for position, suffix in enumerate(CODED_SUFFIXES):
        if topic.endswith(suffix):
            base = topic.removesuffix(suffix)
            yield from (base, *(base + better for better in CODED_SUFFIXES[:position]))


def stream_name(topic: str, taken: Iterable[str]) -> str:
    """A name for the topic's stream that is not `taken`: `/front/image_raw` is `front_image_raw`."""
    name = topic.strip("/").replace("/", "_")
    names, number = set(taken), 2
    unique = name
    while unique in names:
        unique, number = f"{name}_{number}", number + 1
    return unique

"""A frame's packets, laid out once in one buffer for all viewers of a header layout."""

from dataclasses import dataclass

from picam_webrtc.streaming.rtp.header import HEADER_SIZE, MARKER, VERSION_WITH_EXTENSION, ExtensionLayout
from picam_webrtc.streaming.rtp.payloads import PacketizedFrame


@dataclass(frozen=True, slots=True)
class Run:
    """Packets `first` to `last` (exclusive), one behind the other; all but the last have `stride` bytes."""

    first: int
    last: int
    stride: int


@dataclass(frozen=True, slots=True)
class Template:
    """`data` with the packets at `offsets`: headers without what differs between viewers, payloads, room for the tag.

    `lengths` are those before encryption; `runs` are what one system call can send.
    """

    data: bytes
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    markers: tuple[int, ...]
    runs: tuple[Run, ...]


class TemplateCache:
    """The templates of the frame that is being sent; the next frame replaces them."""

    def __init__(self) -> None:
        self._frame: PacketizedFrame | None = None
        self._templates: dict[tuple[ExtensionLayout, int], Template] = {}

    def get(self, frame: PacketizedFrame, layout: ExtensionLayout, tag_size: int) -> Template:
        if frame is not self._frame:
            self._frame = frame
            self._templates = {}
        template = self._templates.get((layout, tag_size))
        if template is None:
            template = self._templates[layout, tag_size] = lay_out(frame, layout, tag_size)
        return template


def lay_out(frame: PacketizedFrame, layout: ExtensionLayout, tag_size: int) -> Template:
    extension = layout.block(frame.encoded_ns, frame.keyframe)
    start = bytes([VERSION_WITH_EXTENSION]) + bytes(HEADER_SIZE - 1) + extension
    gap = bytes(tag_size)
    lengths = tuple(len(start) + len(payload) for payload in frame.payloads)
    offsets, position = [], 0
    for length in lengths:
        offsets.append(position)
        position += length + tag_size
    markers = (0,) * (len(lengths) - 1) + (MARKER,)
    data = b"".join(part for payload in frame.payloads for part in (start, payload, gap))
    return Template(data, tuple(offsets), lengths, markers, tuple(_runs([size + tag_size for size in lengths])))


def _runs(sizes: list[int]) -> list[Run]:
    """Group packets of one size, each group ended by at most one that is shorter."""
    runs: list[Run] = []
    first = 0
    for index, size in enumerate(sizes):
        ends = index + 1 == len(sizes) or size != sizes[first] or sizes[index + 1] > size
        if ends:
            runs.append(Run(first, index + 1, sizes[first]))
            first = index + 1
    return runs

"""One viewer's end of the fan-out: shared packets get its numbers, its encryption and its way."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from picam_webrtc.detection import Detections
from picam_webrtc.latest import NEWEST_ALONE
from picam_webrtc.streaming.encode.rendition import EncodedFrame
from picam_webrtc.streaming.rtp.header import HEADER_TAIL, RTP_TIMESTAMP_MASK, RtpParameters, header, unwrapped
from picam_webrtc.streaming.rtp.packets import Run, Template, TemplateCache
from picam_webrtc.streaming.rtp.path import Path
from picam_webrtc.streaming.rtp.payloads import PacketizedFrame
from picam_webrtc.streaming.rtp.srtp import Protector, Scratch


@dataclass(slots=True)
class OutletCounts:
    """`bytes` are RTP payload, as sender reports count them (RFC 3550); retransmissions are apart."""

    packets: int = 0
    bytes: int = 0
    resent_packets: int = 0
    resent_bytes: int = 0


class Outlet(Protocol):
    """The way of coded frames to one viewer."""

    counts: OutletCounts
    most_waiting: int
    """Frames that may wait to be encoded for this viewer's sake."""

    @property
    def path(self) -> str:
        """How packets travel, in a word."""

    def send(self, frame: PacketizedFrame) -> bool:
        """Send the frame, or return False when there is no room: the next that is sent is then a key frame."""

    def packet_index(self, sequence: int) -> int | None:
        """Which packet of its rendition went out with that sequence number; None for none that is known."""

    def resend(self, frame: PacketizedFrame, number: int) -> None:
        """Send a packet of a frame again."""

    def send_frame_metadata(self, frame: EncodedFrame) -> None:
        """Tell a viewer that wants to know about a frame that it will be sent soon; never blocks."""

    def send_detections(self, detections: Detections) -> None:
        """Send what was found in a frame, to a viewer that wants to know; never blocks."""


class FrameMetadata(Protocol):
    """What travels beside the pictures; never blocks."""

    def send_frame_metadata(self, frame: EncodedFrame, rtp_timestamp: int) -> None:
        """Tell about a frame whose packets carry that RTP timestamp."""

    def send_detections(self, detections: Detections) -> None: ...


@dataclass(slots=True)
class SendBuffers:
    """What the outlets of one loop share while they send."""

    templates: TemplateCache
    scratch: Scratch


class RtpOutlet:
    """Sends frames as SRTP packets over a path of its own.

    Sequence numbers are continuous whatever is skipped: `sequence = packet index of the rendition + offset`, the
    offset being chosen anew at every gap. Gaps end at key frames, so packets since the last key frame share one.
    """

    most_waiting = NEWEST_ALONE

    def __init__(
        self,
        parameters: RtpParameters,
        protector: Protector,
        current_path: Callable[[], Path | None],
        metadata: Callable[[], FrameMetadata | None],
        buffers: SendBuffers,
    ) -> None:
        """`metadata` gives the viewer's data channel, once it has opened one."""
        self.counts = OutletCounts()
        self._metadata = metadata
        self.newest: EncodedFrame | None = None
        self._parameters = parameters
        self._protector = protector
        self._tag_size = protector.tag_size
        self._current_path = current_path
        self._buffers = buffers
        self._path: Path | None = None
        # From the lower half, because receivers cannot decrypt across an early wrap (RFC 3711, section 3.3.1).
        self._next_sequence = secrets.randbits(15)
        self._rtx_sequence = secrets.randbits(15)
        self._offset = 0
        self._next_index: int | None = None

    @property
    def path(self) -> str:
        return self._path.name if self._path is not None else ""

    def send(self, frame: PacketizedFrame) -> bool:
        self._path = path = self._current_path()
        if path is None:
            return False
        if frame.first_packet != self._next_index:
            self._offset = self._next_sequence - frame.first_packet
        template = self._buffers.templates.get(frame, self._parameters.extensions, self._tag_size)
        self._encrypt(template, frame)
        self._next_sequence += len(template.lengths)
        self._next_index = frame.first_packet + len(template.lengths)
        view, offsets, end = self._buffers.scratch.view, template.offsets, len(template.data)
        for run in template.runs:
            stop = offsets[run.last] if run.last < len(offsets) else end
            if not path.send_run(view[offsets[run.first] : stop], run):
                self._next_index = None
                return False
            self.counts.packets += run.last - run.first
        self.counts.bytes += frame.payload_bytes
        self.newest = frame
        return True

    def packet_index(self, sequence: int) -> int | None:
        if self._next_index is None:
            return None
        return unwrapped((sequence - self._offset) & 0xFFFF, self._next_index - 1)

    def resend(self, frame: PacketizedFrame, number: int) -> None:
        """In the retransmission format where it was negotiated, else the very same packet again."""
        path = self._current_path()
        if path is None:
            return
        packet = self._again(frame, number)
        scratch = self._buffers.scratch
        scratch.view[: len(packet)] = packet
        size = self._protector.protect(scratch, 0, len(packet))
        if path.send_run(scratch.view[:size], Run(0, 1, size)):
            self.counts.resent_packets += 1
            self.counts.resent_bytes += len(frame.payloads[number])

    def send_frame_metadata(self, frame: EncodedFrame) -> None:
        channel = self._metadata()
        if channel is not None:
            channel.send_frame_metadata(frame, frame.timestamp & RTP_TIMESTAMP_MASK)

    def send_detections(self, detections: Detections) -> None:
        channel = self._metadata()
        if channel is not None:
            channel.send_detections(detections)

    def _encrypt(self, template: Template, frame: PacketizedFrame) -> None:
        """Put the viewer's packets into the scratch buffer. This loop is most of what a viewer costs."""
        scratch, size = self._buffers.scratch, len(template.data)
        scratch.hold(size)
        view, protect = scratch.view, self._protector.protect
        view[:size] = template.data
        payload_type, ssrc = self._parameters.payload_type, self._parameters.ssrc
        sequence, timestamp = self._next_sequence, frame.timestamp & RTP_TIMESTAMP_MASK
        pack_into = HEADER_TAIL.pack_into
        for offset, length, marker in zip(template.offsets, template.lengths, template.markers, strict=True):
            pack_into(view, offset + 1, marker | payload_type, sequence & 0xFFFF, timestamp, ssrc)
            protect(scratch, offset, length)
            sequence += 1

    def _again(self, frame: PacketizedFrame, number: int) -> bytes:
        parameters, payload = self._parameters, frame.payloads[number]
        sequence = frame.first_packet + number + self._offset
        marker = number + 1 == len(frame.payloads)
        if not parameters.rtx_payload_type:
            # Not a bit may differ, send time included: encrypting two packets with one number gives the key away.
            extension = parameters.extensions.block(frame.encoded_ns, frame.keyframe)
            return header(parameters, marker, sequence, frame.timestamp, extension) + payload
        rtx = RtpParameters(parameters.rtx_ssrc, parameters.rtx_payload_type)
        extension = parameters.extensions.block(time.time_ns(), frame.keyframe)
        self._rtx_sequence += 1
        original = (sequence & 0xFFFF).to_bytes(2, "big")
        return header(rtx, marker, self._rtx_sequence, frame.timestamp, extension) + original + payload

"""Everything that can be known about streams and viewers at a moment, as plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenditionSnapshot:
    """One encoding of a stream. Counts run from the encoder's start; `bitrate` [bit/s] is what it aims at now, and
    `error` why the newest picture could not be encoded, empty when it was.
    """

    codec: str
    rung: str
    encoder: str
    width: int
    height: int
    bitrate: int
    viewers: int
    frames: int
    bytes: int
    encode_s: float
    keyframes_asked: int
    keyframes_given: int
    reopened: int
    failures: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ViewerSnapshot:
    """One session. `loss` is a fraction, times are seconds, rates bit/s; None is not known (yet).

    `path` is how packets travel: udp+gso, udp or relay.
    """

    id: str
    stream: str
    address: str
    state: str
    codec: str = ""
    rung: str = ""
    path: str = ""
    connected_s: float = 0.0
    frames_sent: int = 0
    frames_skipped: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_asked_again: int = 0
    packets_resent: int = 0
    bytes_resent: int = 0
    resends_refused: int = 0
    keyframes_asked: int = 0
    keyframes_sent: int = 0
    times_full: int = 0
    rung_changes: int = 0
    sent_bitrate: float = 0.0
    estimated_bitrate: float | None = None
    loss: float | None = None
    packets_lost: int | None = None
    jitter_s: float | None = None
    rtt_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewestFrame:
    """The coded frame that was sent last: its RTP timestamp and its times, CLOCK_REALTIME."""

    timestamp: int
    stamp_ns: int
    received_ns: int
    encoded_ns: int


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """One stream. `frames_in` came while somebody watched; `frames_overtaken` were replaced before being encoded.

    `inference_s` is the time that finding the newest detections took, None where that is not known.
    """

    name: str
    live: bool
    frames_in: int
    frames_overtaken: int
    frames_lost_to_loop: int
    renditions: tuple[RenditionSnapshot, ...]
    viewers: tuple[ViewerSnapshot, ...]
    inference_s: float | None = None
    newest: NewestFrame | None = None


@dataclass(frozen=True, slots=True)
class SessionsSnapshot:
    """`connections_failed` counts those that could not be made or broke; `adaptation_error` is why viewers' links are
    not followed just now, empty when they are.
    """

    streams: tuple[StreamSnapshot, ...]
    connections_failed: int = 0
    adaptation_error: str = ""

    @property
    def viewers(self) -> tuple[ViewerSnapshot, ...]:
        return tuple(viewer for stream in self.streams for viewer in stream.viewers)

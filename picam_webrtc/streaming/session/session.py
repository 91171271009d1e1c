"""One viewer's session: what its connection tells goes to its viewer."""

import secrets
import time
import uuid
from collections.abc import Callable, Sequence

from picam_webrtc.streaming.encode.rendition import LADDER, Codec
from picam_webrtc.streaming.fanout.snapshot import ViewerSnapshot
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.fanout.viewer import Viewer
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc.streaming.rtp.reports import Report


class Session:
    """`sdp` is our answer, or our offer; `etag` has no quotes. Listens to its peer (`PeerEvents`).

    Needs no frames before `resume`. A session that `publishes` is one with a media server, not with a viewer.
    """

    def __init__(
        self, stream: Stream, address: str, on_state: Callable[["Session", str], None], *, publishes: bool = False
    ) -> None:
        self.id = str(uuid.uuid4())
        self.etag = secrets.token_hex(8)
        self.sdp = ""
        self.stream = stream
        self.address = address
        self.publishes = publishes
        self.state = "new"
        self.reports = 0
        self.viewer: Viewer | None = None
        self._started: tuple[Codec, Outlet] | None = None
        self._needs_frames = False
        self._closed = False
        self._on_state = on_state

    def __str__(self) -> str:
        return f"PeerConnection({self.id})"

    def state_changed(self, state: str) -> None:
        self.state = state
        self._on_state(self, state)

    def started(self, codec: Codec, outlet: Outlet) -> None:
        self._started = codec, outlet
        if self._needs_frames:
            self.viewer = self.stream.join(codec, outlet)

    def keyframe_requested(self) -> None:
        if self.viewer is not None:
            self.viewer.keyframe_requested()

    def packets_lost(self, sequences: Sequence[int]) -> None:
        if self.viewer is not None:
            self.viewer.packets_lost(sequences)

    def reported(self, report: Report) -> None:
        self.reports += 1
        if self.viewer is not None:
            self.viewer.reported(report)

    def estimated(self, bitrate: float) -> None:
        if self.viewer is not None:
            self.viewer.estimated(bitrate)

    def resume(self) -> None:
        """Have frames sent, now or as soon as there is a connection. Idempotent, as `pause` is."""
        if self._needs_frames or self._closed:
            return
        self._needs_frames = True
        self.stream.subscribe()
        if self._started is not None:
            self.viewer = self.stream.join(*self._started)

    def pause(self) -> None:
        """Need no frames until `resume`; the connection stays."""
        if not self._needs_frames:
            return
        self._needs_frames = False
        if self.viewer is not None:
            self.stream.leave(self.viewer)
            self.viewer = None
        self.stream.unsubscribe()

    def end(self) -> None:
        """Give back what the session has of its stream, for good."""
        self.pause()
        self._closed = True

    def snapshot(self) -> ViewerSnapshot:
        viewer = self.viewer
        if viewer is None:
            return ViewerSnapshot(self.id, self.stream.name, self.address, self.state)
        counts, sent, report, now_s = viewer.counts, viewer.outlet.counts, viewer.report, time.monotonic()
        return ViewerSnapshot(
            self.id,
            self.stream.name,
            self.address,
            self.state,
            codec=viewer.rendition.codec,
            rung=LADDER[viewer.rendition.rung].name,
            path=viewer.outlet.path,
            connected_s=now_s - viewer.joined_s,
            frames_sent=counts.frames_sent,
            frames_skipped=counts.frames_skipped,
            packets_sent=sent.packets,
            bytes_sent=sent.bytes,
            packets_asked_again=counts.packets_asked_again,
            packets_resent=sent.resent_packets,
            bytes_resent=sent.resent_bytes,
            resends_refused=viewer.budget.refused,
            keyframes_asked=counts.keyframes_asked,
            keyframes_sent=counts.keyframes_sent,
            times_full=counts.times_full,
            rung_changes=counts.rung_changes,
            sent_bitrate=viewer.sent_bitrate,
            estimated_bitrate=viewer.adaptation.estimate(now_s),
            loss=report.loss if report else None,
            packets_lost=report.packets_lost if report else None,
            jitter_s=report.jitter_s if report else None,
            rtt_s=report.rtt_s if report else None,
        )

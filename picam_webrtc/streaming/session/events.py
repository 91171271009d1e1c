"""What a viewer's connection tells its session."""

from collections.abc import Sequence
from typing import Protocol

from picam_webrtc.streaming.encode.rendition import Codec
from picam_webrtc.streaming.rtp.outlet import Outlet
from picam_webrtc.streaming.rtp.reports import Report


class PeerEvents(Protocol):
    """Every method is called on the loop."""

    def state_changed(self, state: str) -> None:
        """`new`, `connecting`, `connected`, `failed` or `closed`."""

    def started(self, codec: Codec, outlet: Outlet) -> None:
        """Frames of that codec can be sent, through that outlet."""

    def keyframe_requested(self) -> None: ...

    def packets_lost(self, sequences: Sequence[int]) -> None: ...

    def reported(self, report: Report) -> None: ...

    def estimated(self, bitrate: float) -> None: ...

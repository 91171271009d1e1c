"""What webrtc_node says on /diagnostics of its streams."""

from dataclasses import replace

import pytest

from picam_webrtc.ros.streams.stream_health import health
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.snapshot import (
    RenditionSnapshot,
    SessionsSnapshot,
    StreamSnapshot,
    ViewerSnapshot,
)

SETTINGS = WebRtcSettings()
FULL = RenditionSnapshot("h264", "full", "libx264", 1280, 720, 2_000_000, 2, 300, 700_000, 3.0, 5, 3, 0)
VIEWER = ViewerSnapshot("a", "raw", "192.0.2.7", "connected", path="udp+gso")
STREAM = StreamSnapshot("raw", True, 300, 0, 0, (FULL,), (VIEWER, replace(VIEWER, id="b", path="relay")))


def test_all_is_well() -> None:
    report = health(SETTINGS, {}, SessionsSnapshot((STREAM,)))

    assert (report.level, report.message) == (0, "2 viewers")
    assert report.values["raw: h264 full, encoder"] == "libx264"
    assert report.values["raw: h264 full, failures"] == "0"
    assert (report.values["Viewers by udp+gso"], report.values["Viewers by relay"]) == ("1", "1")


@pytest.mark.parametrize(
    ("snapshot", "level", "message"),
    [
        (
            SessionsSnapshot((replace(STREAM, renditions=(replace(FULL, error="it does not open", failures=9),)),)),
            2,
            "raw is not encoded as h264 full: it does not open",
        ),
        (SessionsSnapshot((STREAM,), 0, "raw: KeyError(1)"), 1, "viewers' links are not followed: raw: KeyError(1)"),
    ],
    ids=["encoder", "adaptation"],
)
def test_what_does_not_work_is_said(snapshot: SessionsSnapshot, level: int, message: str) -> None:
    report = health(SETTINGS, {}, snapshot)

    assert (report.level, report.message) == (level, message)


def test_connections_that_failed_are_counted() -> None:
    assert health(SETTINGS, {}, SessionsSnapshot((), 4)).values["Connections that failed"] == "4"

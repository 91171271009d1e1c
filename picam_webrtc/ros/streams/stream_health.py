"""How webrtc_node's streams do, as a report for /diagnostics."""

from collections.abc import Mapping

from picam_webrtc.ros.node.diagnostics import NOTHING_DROPPED, Report, dropped_figures
from picam_webrtc.ros.streams.stream_topic import StreamTopic
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.silence import silence_level
from picam_webrtc.streaming.fanout.snapshot import SessionsSnapshot, StreamSnapshot
from picam_webrtc.verdict import Level, Verdict


def health(
    settings: WebRtcSettings,
    topics: Mapping[str, StreamTopic],
    snapshot: SessionsSnapshot,
    dropped: Mapping[str, int] = NOTHING_DROPPED,
) -> Report:
    """The worst that there is in one line, and every stream's figures. `dropped` is what each coded topic has left out
    because it is slow.
    """
    judged = [judge(settings, topic) for topic in topics.values()]
    lossy = [one for one in snapshot.viewers if one.loss is not None and one.loss > settings.loss_warning]
    if lossy:
        judged.append((Level.WARN, f"{len(lossy)} viewers lose more than {settings.loss_warning:.0%} of their packets"))
    judged += [verdict for stream in snapshot.streams for verdict in _judge_encoding(stream)]
    if snapshot.adaptation_error:
        judged.append((Level.WARN, f"viewers' links are not followed: {snapshot.adaptation_error}"))
    level, message = max(judged, default=(Level.OK, "no streams"))
    viewers = len(snapshot.viewers)
    if level == Level.OK:
        message = f"{viewers} viewers" if viewers else "idle: nobody watches"
    values = {"Viewers": str(viewers), "Connections that failed": str(snapshot.connections_failed)}
    for path in sorted({viewer.path for viewer in snapshot.viewers if viewer.path}):
        values[f"Viewers by {path}"] = str(sum(viewer.path == path for viewer in snapshot.viewers))
    for stream in snapshot.streams:
        values.update(_figures(stream))
    for name, topic in topics.items():
        values[f"{name}: no frames for (s)"] = f"{topic.silent_s:.1f}"
    return Report(level, message, values | dropped_figures(dropped))


def judge(settings: WebRtcSettings, topic: StreamTopic) -> Verdict:
    """One stream's topic; nothing is said of a good one."""
    silent_s = topic.silent_s
    level = silence_level(settings, silent_s, topic.usual_gap_s)
    if level == Level.OK:
        return level, ""
    if not topic.is_live():
        return level, f"no frames for {silent_s:.0f} s: nobody publishes {topic.topic}"
    remedy = "see whether its publisher runs; over a network take the compressed or the coded topic"
    return level, f"no frames for {silent_s:.0f} s from {topic.topic}: {remedy}"


def _judge_encoding(stream: StreamSnapshot) -> list[Verdict]:
    return [
        (Level.ERROR, f"{stream.name} is not encoded as {rendition.codec} {rendition.rung}: {rendition.error}")
        for rendition in stream.renditions
        if rendition.error
    ]


def _figures(stream: StreamSnapshot) -> dict[str, str]:
    values = {f"{stream.name}: viewers": str(len(stream.viewers)), f"{stream.name}: frames in": str(stream.frames_in)}
    for rendition in stream.renditions:
        key = f"{stream.name}: {rendition.codec} {rendition.rung}"
        mean_ms = 1000 * rendition.encode_s / rendition.frames if rendition.frames else 0.0
        values[f"{key}, encoder"] = rendition.encoder
        values[f"{key}, failures"] = str(rendition.failures)
        values[f"{key}, bitrate (bit/s)"] = str(rendition.bitrate)
        values[f"{key}, encoding (ms)"] = f"{mean_ms:.1f}"
    return values

"""/metrics for Prometheus, and what a supervisor asks: does the process answer, are there frames.

No label names a session: its id is all that is needed to end it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from picam_webrtc.streaming.fanout.snapshot import RenditionSnapshot, SessionsSnapshot, StreamSnapshot, ViewerSnapshot
from picam_webrtc.streaming.publish.publisher import PublishSnapshot, PublishState
from picam_webrtc.web import problems
from picam_webrtc.web.auth import ACCESS, Access
from picam_webrtc.web.contracts import Sessions
from picam_webrtc.web.keys import SESSIONS

PREFIX = "picam_webrtc"
REGISTRY = web.AppKey("metrics_registry", CollectorRegistry)
READY_RETRY_AFTER_S = 2
CONNECTED = (PublishState.PUBLISHING, PublishState.PAUSED)

Published = Callable[[], Sequence[PublishSnapshot]]


def add_routes(app: web.Application, published: Published) -> None:
    app[REGISTRY] = registry = CollectorRegistry()
    registry.register(NodeCollector(app[SESSIONS], app[ACCESS], published))
    ProcessCollector(namespace=PREFIX, registry=registry)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    app[ACCESS].public.update(("/healthz", "/readyz"))


async def show_metrics(request: web.Request) -> web.Response:
    body = generate_latest(request.app[REGISTRY])
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


async def show_health(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok\n")


async def show_readiness(request: web.Request) -> web.Response:
    """Every stream has a source: whoever connects now will see pictures."""
    streams = request.app[SESSIONS].snapshot().streams
    missing = sum(not stream.live for stream in streams)
    if missing or not streams:
        detail = f"{missing} of {len(streams)} streams have no source"
        headers = {hdrs.RETRY_AFTER: str(READY_RETRY_AFTER_S)}
        problems.refuse(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers)
    return web.Response(text="ready\n")


class NodeCollector(Collector):
    """Reads snapshots each time Prometheus asks, so that nothing is counted twice or kept."""

    def __init__(self, sessions: Sessions, access: Access, published: Published) -> None:
        self._sessions = sessions
        self._access = access
        self._published = published

    def collect(self) -> Iterator[Metric]:
        snapshot = self._sessions.snapshot()
        yield from _stream_metrics(snapshot.streams)
        yield from _viewer_metrics(snapshot)
        yield from _rendition_metrics(snapshot.streams)
        yield from _publishing_metrics(self._published())
        failures = self._access.failures.total
        yield CounterMetricFamily(f"{PREFIX}_auth_failures", "Wrong tokens that were shown", value=failures)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering needs no snapshot."""
        return ()


def _stream_metrics(streams: Sequence[StreamSnapshot]) -> Iterator[Metric]:
    labels = ["stream"]
    live = GaugeMetricFamily(f"{PREFIX}_stream_live", "Whether the stream has a source", labels=labels)
    frames = CounterMetricFamily(f"{PREFIX}_frames_received", "Frames while somebody watched", labels=labels)
    dropped = CounterMetricFamily(
        f"{PREFIX}_frames_dropped", "Frames that a newer one overtook, by where", labels=[*labels, "where"]
    )
    renditions = GaugeMetricFamily(f"{PREFIX}_renditions", "Encodings that run", labels=labels)
    inference = GaugeMetricFamily(
        f"{PREFIX}_inference_seconds", "What the newest detections took to find", labels=labels
    )
    for stream in streams:
        live.add_metric([stream.name], stream.live)
        frames.add_metric([stream.name], stream.frames_in)
        dropped.add_metric([stream.name, "encoder"], stream.frames_overtaken)
        dropped.add_metric([stream.name, "loop"], stream.frames_lost_to_loop)
        renditions.add_metric([stream.name], len(stream.renditions))
        if stream.inference_s is not None:
            inference.add_metric([stream.name], stream.inference_s)
    yield from (live, frames, dropped, renditions, inference)


def _viewer_metrics(snapshot: SessionsSnapshot) -> Iterator[Metric]:
    labels = ["stream"]
    viewers = GaugeMetricFamily(f"{PREFIX}_viewers", "Viewers that are connected", labels=labels)
    connecting = GaugeMetricFamily(f"{PREFIX}_viewers_connecting", "Sessions not connected yet", labels=labels)
    sent = GaugeMetricFamily(f"{PREFIX}_sent_bits_per_second", "Sent to all viewers together", labels=labels)
    loss = GaugeMetricFamily(f"{PREFIX}_loss_ratio", "Packets lost on the way", labels=[*labels, "viewer"])
    rtt = GaugeMetricFamily(f"{PREFIX}_rtt_seconds", "Round trip time", labels=[*labels, "viewer"])
    for stream in snapshot.streams:
        connected = [viewer for viewer in stream.viewers if viewer.state == "connected"]
        viewers.add_metric([stream.name], len(connected))
        connecting.add_metric([stream.name], len(stream.viewers) - len(connected))
        sent.add_metric([stream.name], sum(viewer.sent_bitrate for viewer in connected))
        _add_spread(loss, stream.name, [viewer.loss for viewer in connected])
        _add_spread(rtt, stream.name, [viewer.rtt_s for viewer in connected])
    yield from (viewers, connecting, sent, loss, rtt)
    yield from _path_metrics(snapshot.viewers)


def _path_metrics(viewers: Sequence[ViewerSnapshot]) -> Iterator[Metric]:
    paths = GaugeMetricFamily(f"{PREFIX}_paths", "Viewers by the way their packets take", labels=["path"])
    for path in sorted({viewer.path for viewer in viewers if viewer.path}):
        paths.add_metric([path], sum(viewer.path == path for viewer in viewers))
    yield paths


def _add_spread(family: GaugeMetricFamily, stream: str, values: Sequence[float | None]) -> None:
    """The mean and the worst of those that are known."""
    known = [value for value in values if value is not None]
    if known:
        family.add_metric([stream, "mean"], sum(known) / len(known))
        family.add_metric([stream, "worst"], max(known))


def _rendition_metrics(streams: Sequence[StreamSnapshot]) -> Iterator[Metric]:
    labels = ["stream", "codec", "rung"]
    viewers = GaugeMetricFamily(f"{PREFIX}_rendition_viewers", "Viewers of the rendition", labels=labels)
    bitrate = GaugeMetricFamily(f"{PREFIX}_rendition_bits_per_second", "Bitrate it aims at", labels=labels)
    frames = CounterMetricFamily(f"{PREFIX}_frames_encoded", "Frames encoded", labels=labels)
    size = CounterMetricFamily(f"{PREFIX}_encoded_bytes", "Bytes encoded", labels=labels)
    time = CounterMetricFamily(f"{PREFIX}_encode_seconds", "Time that encoding took", labels=labels)
    keyframes = CounterMetricFamily(f"{PREFIX}_keyframes", "Key frames encoded", labels=labels)
    asked = CounterMetricFamily(f"{PREFIX}_keyframe_requests", "Key frames asked for", labels=labels)
    for stream in streams:
        for rendition in stream.renditions:
            values = _labels(stream, rendition)
            viewers.add_metric(values, rendition.viewers)
            bitrate.add_metric(values, rendition.bitrate)
            frames.add_metric(values, rendition.frames)
            size.add_metric(values, rendition.bytes)
            time.add_metric(values, rendition.encode_s)
            keyframes.add_metric(values, rendition.keyframes_given)
            asked.add_metric(values, rendition.keyframes_asked)
    yield from (viewers, bitrate, frames, size, time, keyframes, asked)


def _publishing_metrics(published: Sequence[PublishSnapshot]) -> Iterator[Metric]:
    labels = ["stream", "server"]
    connected = GaugeMetricFamily(f"{PREFIX}_publish_connected", "Whether a media server has the stream", labels=labels)
    readers = GaugeMetricFamily(f"{PREFIX}_publish_readers", "Readers there, where the server tells", labels=labels)
    connections = CounterMetricFamily(f"{PREFIX}_publish_connections", "Connections that came about", labels=labels)
    failures = CounterMetricFamily(f"{PREFIX}_publish_failures", "Attempts and connections that failed", labels=labels)
    for one in published:
        values = [one.stream, one.server]
        connected.add_metric(values, one.state in CONNECTED)
        connections.add_metric(values, one.connections)
        failures.add_metric(values, one.failures)
        if one.readers is not None:
            readers.add_metric(values, one.readers)
    yield from (connected, readers, connections, failures)


def _labels(stream: StreamSnapshot, rendition: RenditionSnapshot) -> list[str]:
    return [stream.name, rendition.codec, rendition.rung]

"""webrtc_node: image topics as WebRTC streams, subscribed to only while somebody watches."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from rclpy.node import Node
from std_msgs.msg import Int32

from picam_webrtc.detection import Detections
from picam_webrtc.errors import SettingError
from picam_webrtc.latest import call_on_loop
from picam_webrtc.ros.detections import DetectionsSubscription, detections_topic_of
from picam_webrtc.ros.image_io import ImageSubscription, LocalTopics
from picam_webrtc.ros.parameter_gateway import RosParameterGateway
from picam_webrtc.ros.parameters import NodeParameters
from picam_webrtc.ros.qos import latched_qos
from picam_webrtc.ros.runtime import Runtime, forward_logs, run
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.publishers import Publishers
from picam_webrtc.streaming.sessions import Sessions
from picam_webrtc.streaming.stream import Stream
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import page_links, serve

PROCESSED = "image_processed"
"""The only topic into which detections are drawn."""


class StreamTopic:
    """The image topic behind one stream, and the detections beside it: subscribed while the stream has viewers.

    `demand` may be called from any thread; topics are made and destroyed on the thread that spins the node.
    """

    def __init__(
        self, node: Node, topic: str, call_soon: Callable[[Callable[[], None]], None], local: LocalTopics
    ) -> None:
        self._node = node
        self._topic: str = node.resolve_topic_name(topic)  # counting publishers knows no remapping
        self._call_soon = call_soon
        self._local = local
        self._subscription: ImageSubscription | None = None
        self._detections: DetectionsSubscription | None = None
        self._wanted = False
        self.stream: Stream | None = None

    def demand(self, wanted: bool) -> None:
        self._wanted = wanted
        self._call_soon(self._update)

    def is_live(self) -> bool:
        return bool(self._node.count_publishers(self._topic))

    def _update(self) -> None:
        if self._wanted and self._subscription is None and self.stream is not None:
            self._subscription = ImageSubscription(self._node, self._topic, self._local, self.stream.push)
            topic = detections_topic_of(self._topic)
            self._detections = DetectionsSubscription(self._node, topic, self._on_detections)
        elif not self._wanted:
            self.close()

    def _on_detections(self, detections: Detections) -> None:
        if self.stream is not None:
            shows_them = detections.drawn and self._topic.endswith(PROCESSED)
            self.stream.push_detections(replace(detections, drawn=shows_them))

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self._detections is not None:
            self._detections.close()
            self._detections = None


def stream_topics(streams: tuple[str, ...]) -> dict[str, str]:
    """Stream name → topic, from the parameter `streams`. Raises SettingError."""
    topics: dict[str, str] = {}
    for entry in streams:
        name, separator, topic = entry.partition(":=")
        if not separator or not topic or not name.replace("_", "").replace("-", "").isalnum():
            raise SettingError("streams", entry, "must be name:=topic, the name of letters, digits, - and _")
        if name in topics:
            raise SettingError("streams", entry, f"the name {name!r} is taken by topic {topics[name]!r}")
        topics[name] = topic
    if not topics:
        raise SettingError("streams", [], "must name at least one stream, as name:=topic")
    return topics


def viewers_topic(node: Node, runtime: Runtime) -> Callable[[int], None]:
    """Publishes how many watch; whoever subscribes later gets the last count."""
    publisher = node.create_publisher(Int32, "viewers", latched_qos())

    def publish(count: int) -> None:
        runtime.call_soon(lambda: publisher.publish(Int32(data=count)))

    publish(0)
    return publish


async def wire(stack: AsyncExitStack, runtime: Runtime, local: LocalTopics) -> None:
    node = runtime.node("webrtc_node")
    forward_logs(stack, node, "streaming", "web")
    parameters = NodeParameters(node, WebRtcSettings)
    settings = parameters.settings
    streams: list[Stream] = []
    for name, topic in stream_topics(settings.streams).items():
        source = StreamTopic(node, topic, runtime.call_soon, local)
        transform = "none" if streams else settings.transform
        source.stream = Stream(name, settings, transform=transform, on_demand=source.demand, is_live=source.is_live)
        streams.append(source.stream)
        stack.callback(source.close)
    sessions = Sessions(streams, settings, on_viewers=viewers_topic(node, runtime))
    await stack.enter_async_context(sessions)
    await stack.enter_async_context(Publishers(sessions, settings))
    loop = asyncio.get_running_loop()
    parameters.apply = lambda changed: call_on_loop(loop, sessions.apply, changed)
    app = make_app(sessions, settings, gateway=RosParameterGateway(node, settings.controlled_nodes))
    address = await stack.enter_async_context(serve(app, settings))
    print(*page_links(app, address), sep="\n", flush=True)


def main() -> int:
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics()))


if __name__ == "__main__":
    raise SystemExit(main())

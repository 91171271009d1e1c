"""The streams of webrtc_node and the topics behind them, added and removed while it runs. All on the asyncio loop."""

import asyncio
import time

from rclpy.node import Node

from picam_webrtc.errors import SettingError
from picam_webrtc.ros.process.names import fault_of_topic
from picam_webrtc.ros.streams.discovery import picture_topics, stream_name
from picam_webrtc.ros.streams.network_report import Feed
from picam_webrtc.ros.streams.stream_topic import CallSoon, StreamTopic
from picam_webrtc.ros.topics.encoded_topic import EncodedTopic
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc.ros.topics.video_messages import VideoMessages, video_messages
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.fanout.stream import Stream
from picam_webrtc.streaming.session.sessions import Sessions

DISCOVERY_PERIOD_S = 1.0
FORGET_AFTER_S = 10.0
"""How long a discovered topic may have no publisher before its stream goes: a node that restarts keeps it."""


def stream_topics(streams: tuple[str, ...]) -> dict[str, str]:
    """Stream name → topic, from the parameter `streams`. Raises SettingError."""
    topics: dict[str, str] = {}
    for entry in streams:
        name, separator, topic = entry.partition(":=")
        if not separator or not topic or not name.replace("_", "").replace("-", "").isalnum():
            raise SettingError("streams", entry, "must be name:=topic, the name of letters, digits, - and _")
        if fault := fault_of_topic(topic):
            raise SettingError("streams", entry, fault)
        if name in topics:
            raise SettingError("streams", entry, f"the name {name!r} is taken by topic {topics[name]!r}")
        topics[name] = topic
    if not topics:
        raise SettingError("streams", [], "must name at least one stream, as name:=topic")
    return topics


class StreamSet:
    """Keeps `sessions` in step with the parameters `streams` and `discover`."""

    def __init__(
        self, node: Node, call_soon: CallSoon, local: LocalTopics, sessions: Sessions, settings: WebRtcSettings
    ) -> None:
        """Raises SettingError for coded topics of a type that is not installed."""
        self._node = node
        self._call_soon = call_soon
        self._local = local
        self._sessions = sessions
        self.settings = settings
        self._allowed = False
        self._changing = asyncio.Lock()
        self._messages: VideoMessages | None = None
        if settings.encoded_topics != "off":
            self._messages = video_messages(settings.encoded_topics)
        self._configured: dict[str, str] = {}
        self._topics: dict[str, StreamTopic] = {}
        self._encoded: dict[str, EncodedTopic] = {}
        self._gone_since: dict[str, float] = {}

    @property
    def topics(self) -> dict[str, StreamTopic]:
        """By the name of the stream."""
        return dict(self._topics)

    def feeds(self) -> list[Feed]:
        """How the topics do; from any thread."""
        return [topic.feed(name) for name, topic in list(self._topics.items())]

    def dropped(self) -> dict[str, int]:
        """Of each coded topic, what was left out because it is slow; from any thread."""
        return {encoded.name: encoded.dropped for encoded in list(self._encoded.values())}

    def allow(self, allowed: bool) -> None:
        """Without permission viewers stay connected and get no frames; from any thread."""
        self._allowed = allowed
        for topic in list(self._topics.values()):
            topic.allow(allowed)

    async def apply(self, settings: WebRtcSettings) -> None:
        """Serve just what the settings say; streams that stay are not disturbed. Raises SettingError."""
        wanted = stream_topics(settings.streams)
        async with self._changing:
            self.settings = settings
            await self._configure(wanted)
            await self._discover()

    async def _configure(self, wanted: dict[str, str]) -> None:
        for name, topic in self._configured.items():
            if wanted.get(name) != topic:
                await self._remove(name)
        for name, topic in wanted.items():
            await self._make_way(name, topic)
            if name not in self._topics:
                self._add(name, topic)
        self._configured = wanted

    async def keep_discovering(self) -> None:
        while True:
            async with self._changing:
                await self._discover()
            await asyncio.sleep(DISCOVERY_PERIOD_S)

    async def _discover(self) -> None:
        """Follow the graph: serve topics that came, let go of those that went, as the settings say."""
        discovered = [name for name in self._topics if name not in self._configured]
        if not self.settings.discover:
            for name in discovered:
                await self._remove(name)
            return
        served = {stream.topic for stream in self._topics.values()}
        for topic in picture_topics(dict(self._node.get_topic_names_and_types()), served):
            if self._node.count_publishers(topic):
                self._add(stream_name(topic, self._topics), topic)
        for name in discovered:
            await self._forget_when_gone(name)

    def close(self) -> None:
        """Once the node spins no more."""
        for encoded in self._encoded.values():
            encoded.leave()
            encoded.close()
        for source in self._topics.values():
            source.close()

    def _add(self, name: str, topic: str) -> None:
        source = StreamTopic(self._node, topic, self._call_soon, self._local)
        stream = Stream(
            name, self.settings, on_demand=source.demand, is_live=source.is_live, transform=source.transform
        )
        source.stream = stream
        source.allow(self._allowed)
        self._topics[name] = source
        self._sessions.add(stream)
        if self._messages is not None and not topic.endswith(f"/{self._messages.suffix}"):
            loop = asyncio.get_running_loop()
            encoded = EncodedTopic(self._node, topic, stream, self._messages, source.header_of, loop)
            self._encoded[name] = encoded
            self._call_soon(encoded.open)
        self._node.get_logger().info(f"Stream {name} shows {source.topic}")

    async def _remove(self, name: str) -> None:
        source = self._topics.pop(name)
        self._gone_since.pop(name, None)
        encoded = self._encoded.pop(name, None)
        if encoded is not None:
            encoded.leave()
            self._call_soon(encoded.close)
        await self._sessions.remove(name)
        self._call_soon(source.close)
        self._node.get_logger().info(f"Stream {name} is no more")

    async def _make_way(self, name: str, topic: str) -> None:
        """A discovered stream ends where a configured one takes its name or its topic."""
        resolved = self._node.resolve_topic_name(topic)
        for other, source in list(self._topics.items()):
            if other not in self._configured and (other == name or source.topic == resolved):
                await self._remove(other)

    async def _forget_when_gone(self, name: str) -> None:
        source, now_s = self._topics[name], time.monotonic()
        if source.is_live() or source.watched:
            self._gone_since.pop(name, None)
        elif now_s - self._gone_since.setdefault(name, now_s) > FORGET_AFTER_S:
            await self._remove(name)

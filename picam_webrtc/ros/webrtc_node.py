"""webrtc_node: image topics as WebRTC streams, subscribed to only while somebody watches."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from rclpy.node import Node
from std_msgs.msg import Int32

from picam_webrtc.background import background
from picam_webrtc.latest import AsyncLatest
from picam_webrtc.ros.node.diagnostics import Report, diagnostics
from picam_webrtc.ros.node.lifecycle import Effects, ManageableNode, bring_up
from picam_webrtc.ros.node.parameter_gateway import RosParameterGateway
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.ros.process.command_line import node_arguments
from picam_webrtc.ros.process.logs import forward_logs
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.streams.network_report import network_report
from picam_webrtc.ros.streams.stream_health import health
from picam_webrtc.ros.streams.stream_set import StreamSet, stream_topics
from picam_webrtc.ros.topics.image_io import LocalTopics
from picam_webrtc.ros.topics.qos import OVERRIDABLE, latched_qos
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.publish.publishers import Publishers
from picam_webrtc.streaming.session.sessions import Sessions
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import page_links, serve

EFFECTS = Effects(
    activated="streams are encoded while somebody watches",
    deactivated="nothing is encoded; viewers stay connected and see that nothing comes",
    cleaned_up="viewers are disconnected, and the port is closed",
)


async def serve_streams(
    stack: AsyncExitStack,
    node: ManageableNode,
    parameters: NodeParameters[WebRtcSettings],
    runtime: Runtime,
    local: LocalTopics,
) -> StreamSet:
    """Everything that webrtc_node does, until the stack unwinds. Raises SettingError."""
    settings = parameters.settings
    sessions = Sessions([], settings, on_viewers=viewers_topic(stack, node, runtime))
    await stack.enter_async_context(sessions)
    streams = StreamSet(node, runtime.call_soon, local, sessions, settings)
    stack.callback(streams.close)
    await streams.apply(settings)
    publishers = await stack.enter_async_context(Publishers(sessions, settings))

    def network() -> Report:
        return network_report(streams.settings, streams.feeds(), publishers.snapshot())

    def watching() -> Report:
        return health(streams.settings, streams.topics, sessions.snapshot(), streams.dropped())

    await stack.enter_async_context(diagnostics(node, "network", "", network))
    await stack.enter_async_context(diagnostics(node, "streams", "WebRTC", watching))
    changes = AsyncLatest[WebRtcSettings](asyncio.get_running_loop())
    parameters.check = lambda changed: stream_topics(changed.streams)
    parameters.apply = changes.put
    stack.callback(parameters.detach)
    await stack.enter_async_context(background(_follow(changes, sessions, streams)))
    await stack.enter_async_context(background(streams.keep_discovering()))
    gateway = RosParameterGateway(node, settings.controlled_nodes)
    app = make_app(sessions, settings, gateway=gateway, published=publishers.snapshot)
    address = await stack.enter_async_context(serve(app, settings))
    print(*page_links(app, address), sep="\n", flush=True)
    return streams


def viewers_topic(stack: AsyncExitStack, node: Node, runtime: Runtime) -> Callable[[int], None]:
    """Publishes how many watch; whoever subscribes later gets the last count."""
    publisher = node.create_publisher(Int32, "viewers", latched_qos(), qos_overriding_options=OVERRIDABLE)
    # By the spinning thread, which may have a count to publish yet.
    stack.callback(runtime.call_soon, lambda: node.destroy_publisher(publisher))

    def publish(count: int) -> None:
        runtime.call_soon(lambda: publisher.publish(Int32(data=count)))

    publish(0)
    return publish


async def _follow(changes: AsyncLatest[WebRtcSettings], sessions: Sessions, streams: StreamSet) -> None:
    while True:
        settings = await changes.take()
        sessions.apply(settings)
        await streams.apply(settings)


async def wire(stack: AsyncExitStack, runtime: Runtime, local: LocalTopics) -> None:
    node = runtime.node("webrtc_node", ManageableNode)
    forward_logs(stack, node, "streaming", "web")
    parameters = NodeParameters(node, WebRtcSettings, runtime.overrides)
    managed = parameters.settings.managed
    await bring_up(stack, node, managed, lambda inner: serve_streams(inner, node, parameters, runtime, local), EFFECTS)


def main() -> int:
    node_arguments("webrtc_node", __doc__, WebRtcSettings)
    return run(lambda stack, runtime: wire(stack, runtime, LocalTopics()))

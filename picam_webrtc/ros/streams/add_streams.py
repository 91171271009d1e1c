"""add_streams: keeps streams among those that a running webrtc_node serves, for as long as it runs itself."""

import asyncio
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from picam_webrtc.errors import SettingError
from picam_webrtc.latest import call_on_loop
from picam_webrtc.ros.node.on_demand import STEADY
from picam_webrtc.ros.process.command_line import parsed
from picam_webrtc.ros.process.names import fault_of_topic
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.streams.stream_set import stream_topics
from picam_webrtc.ros.topics.siblings import topic_name
from picam_webrtc.settings import AddedCameraSettings

CHECK_PERIOD_S = 1.0
PATIENCE_CHECKS = 2
"""How often in a row the node may seem to be away before that is said: nodes take a moment to see each other."""
WITHDRAWAL_TIMEOUT_S = 1.0


class StreamKeeper:
    """Adds `streams` to the parameter `streams` of the node `target`, again whenever that node has restarted.

    Everything happens on the thread that spins `node`.
    """

    def __init__(self, node: Node, target: str, streams: Sequence[str]) -> None:
        self._node = node
        self._target = target
        self.streams = tuple(streams)
        self._client = AsyncParameterClient(node, target)
        self._misses = 0
        self._timer = node.create_timer(CHECK_PERIOD_S, self._check, clock=STEADY)

    def _check(self) -> None:
        # Asked each time, because a node that was killed and started again may never have seemed to be away.
        if self._client.services_are_ready():
            self._misses = 0
            self._change(self._added, "serves what was asked")
            return
        self._misses += 1
        if self._misses == PATIENCE_CHECKS:
            remedy = "where it has another name, give that as webrtc_node:= or --to"
            self._node.get_logger().warning(f"{self._target} is not there: waiting for it; {remedy}")

    def close(self) -> None:
        self._node.destroy_timer(self._timer)

    def withdraw(self, done: Callable[[], object]) -> None:
        """Take the streams back out and call `done`; at once where there is nobody to take them from."""
        self._timer.cancel()
        if not self._client.services_are_ready():
            done()
            return
        self._change(self._without, "no longer serves what was added here", done)

    def _added(self, served: list[str]) -> list[str]:
        return [*served, *(one for one in self.streams if one not in served)]

    def _without(self, served: list[str]) -> list[str]:
        return [one for one in served if one not in self.streams]

    def _change(
        self, change: Callable[[list[str]], list[str]], said: str, done: Callable[[], object] = lambda: None
    ) -> None:
        """Have the target serve `change(served)` in place of `served`, and say so in the log."""

        def got(future: Any) -> None:
            (value,) = future.result().values
            served = list(value.string_array_value)
            changed = change(served)
            if not served or changed == served:  # a node that only just starts has none yet
                done()
                return
            parameter = Parameter("streams", Parameter.Type.STRING_ARRAY, changed)
            self._client.set_parameters([parameter]).add_done_callback(answered)

        def answered(future: Any) -> None:
            (result,) = future.result().results
            if result.successful:
                self._node.get_logger().info(f"{self._target} {said}: {', '.join(self.streams)}")
            else:
                self._node.get_logger().error(f"{self._target} refuses: {result.reason}")
            done()

        self._client.get_parameters(["streams"]).add_done_callback(got)


def full_name(node: Node, stream: str) -> str:
    """`name:=topic` with the topic's full name, as this node's namespace and remaps make it."""
    name, _, topic = stream.partition(":=")
    return f"{name}:={node.resolve_topic_name(topic_name(node, topic))}"


async def wire(target: str, streams: Sequence[str], stack: AsyncExitStack, runtime: Runtime) -> None:
    node = runtime.node("add_streams", Node)
    target = target if target.startswith("/") else f"{node.get_namespace().rstrip('/')}/{target}"
    keeper = StreamKeeper(node, target, [full_name(node, stream) for stream in streams])
    loop = asyncio.get_running_loop()

    async def withdraw() -> None:
        done = asyncio.Event()
        runtime.call_soon(lambda: keeper.withdraw(partial(call_on_loop, loop, done.set)))
        try:
            await asyncio.wait_for(done.wait(), WITHDRAWAL_TIMEOUT_S)
        except TimeoutError:
            node.get_logger().warning(f"{target} does not answer: it may go on serving {', '.join(keeper.streams)}")

    runtime.before_stop.append(withdraw)
    stack.callback(keeper.close)


def main() -> int:
    parser = ArgumentParser("add_streams", description=__doc__)
    (node,) = AddedCameraSettings.declarations()
    parser.add_argument("--to", default=node.default, metavar="NODE", help=node.param.description)
    # Not NAME:=TOPIC, which rclpy would take for a remapping.
    parser.add_argument("streams", nargs="+", metavar="NAME=TOPIC", help="topics as this process sees them")
    arguments = parsed(parser)
    if fault := fault_of_topic(arguments.to):
        parser.error(f"argument --to: {arguments.to!r} is no node's name: {fault}")
    streams = [stream.replace("=", ":=", 1) for stream in arguments.streams]
    try:
        stream_topics(tuple(streams))
    except SettingError as error:
        parser.error(str(error))
    return run(partial(wire, arguments.to, streams))

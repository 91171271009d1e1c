"""A node's lifecycle: at work from the start, stopped and started by services, or managed from outside."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from std_srvs.srv import Trigger

from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.latest import run_on_loop
from picam_webrtc.ros.process.logs import speaking_for

TRANSITION_TIMEOUT_S = 10.0


class Switchable(Protocol):
    """The work of a node."""

    def allow(self, allowed: bool) -> None:
        """Work, or rest without letting go of anything; on the thread that spins the node."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What has become of a managed node's work after a transition, for its log."""

    activated: str
    deactivated: str
    cleaned_up: str


Make = Callable[[AsyncExitStack], Awaitable[Switchable]]
"""Makes a node's work and registers on the stack how it ends. Raises PicamWebrtcError."""


class ManageableNode(LifecycleNodeMixin, Node):
    """A node that becomes a managed one when `manage` is called, and is an ordinary one until then."""

    def __init__(self, name: str, cli_args: list[str] | None = None) -> None:
        """`cli_args` are the node's own, beside those of the process."""
        Node.__init__(self, name, cli_args=cli_args)
        self._lifecycle: ManagedLifecycle | None = None

    def manage(self, lifecycle: "ManagedLifecycle") -> None:
        self._lifecycle = lifecycle
        LifecycleNodeMixin.__init__(self)

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.configure())

    def on_activate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.allow(True))

    def on_deactivate(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.allow(False))

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.clean_up("Cleaned up"))

    def on_shutdown(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.clean_up("Shut down"))

    def on_error(self, _: LifecycleState) -> TransitionCallbackReturn:
        return self._passed(lambda lifecycle: lifecycle.clean_up("Cleaned up after an error"))

    def _passed(self, transition: Callable[["ManagedLifecycle"], None]) -> TransitionCallbackReturn:
        try:
            if self._lifecycle is not None:
                transition(self._lifecycle)
        except PicamWebrtcError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:  # noqa: BLE001 - rclpy would swallow it without a word
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS


class ManagedLifecycle:
    """What the transitions of a managed node do. Their work on resources is done by `loop`, waited for by the node."""

    def __init__(self, node: Node, make: Make, effects: Effects, loop: asyncio.AbstractEventLoop) -> None:
        self._node = node
        self._make = make
        self._effects = effects
        self._loop = loop
        self._resources = AsyncExitStack()
        self._work: Switchable | None = None

    def configure(self) -> None:
        """Raises PicamWebrtcError."""
        self._wait(self._configure())
        self._say("Configured: waits to be activated")

    def allow(self, allowed: bool) -> None:
        self._allow(allowed)
        self._say(f"Activated: {self._effects.activated}" if allowed else f"Deactivated: {self._effects.deactivated}")

    def clean_up(self, transition: str) -> None:
        self._allow(False)
        self._wait(self.close())
        self._say(f"{transition}: {self._effects.cleaned_up}")

    def _allow(self, allowed: bool) -> None:
        if self._work is not None:
            self._work.allow(allowed)

    def _say(self, text: str) -> None:
        self._node.get_logger().info(text)

    async def close(self) -> None:
        self._work = None
        resources, self._resources = self._resources, AsyncExitStack()
        await resources.aclose()

    async def _configure(self) -> None:
        async with AsyncExitStack() as stack:
            with speaking_for(self._node):
                self._work = await self._make(stack)
            self._work.allow(False)
            self._resources = stack.pop_all()

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        run_on_loop(self._loop, work, TRANSITION_TIMEOUT_S)


async def bring_up(stack: AsyncExitStack, node: ManageableNode, managed: bool, make: Make, effects: Effects) -> None:
    """Have the node work: from now on, or when whoever manages it says so."""
    if managed:
        lifecycle = ManagedLifecycle(node, make, effects, asyncio.get_running_loop())
        stack.push_async_callback(lifecycle.close)
        node.manage(lifecycle)
        node.get_logger().info("Waiting to be configured")
        return
    work = await make(stack)
    work.allow(True)
    add_switches(stack, node, work)


def add_switches(stack: AsyncExitStack, node: Node, work: Switchable) -> None:
    """The services ~/start and ~/stop."""

    def switch(allowed: bool, response: Trigger.Response) -> Trigger.Response:
        work.allow(allowed)
        response.success, response.message = True, "started" if allowed else "stopped"
        node.get_logger().info(f"{response.message} by service")
        return response

    for name, allowed in (("start", True), ("stop", False)):
        service = node.create_service(Trigger, f"~/{name}", lambda _, response, on=allowed: switch(on, response))
        stack.callback(node.destroy_service, service)

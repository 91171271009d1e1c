"""Parameters of other nodes, through the services that every node has, for the asyncio side of this process."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from rclpy.task import Future

from picam_webrtc.errors import ParameterError
from picam_webrtc.latest import call_on_loop
from picam_webrtc.ros.node.parameters import CHOICES_PREFIX, FLOAT_MAX, INT64_MAX, TYPE_PREFIX
from picam_webrtc.web.parameters import NodeDescription, ParameterDescription

ANSWER_TIMEOUT_S = 2.0
DISCOVERY_TIMEOUT_S, DISCOVERY_CHECKS = 1.0, 20

TYPE_NAMES = {
    ParameterType.PARAMETER_BOOL: "bool",
    ParameterType.PARAMETER_INTEGER: "int",
    ParameterType.PARAMETER_DOUBLE: "float",
    ParameterType.PARAMETER_STRING: "str",
    ParameterType.PARAMETER_STRING_ARRAY: "tuple",
}
FOREIGN_PREFIXES = ("qos_overrides.", "use_sim_time", "start_type_description_service")
"""rclpy's own parameters, which nobody wants to see beside a picture."""


class RosParameterGateway:
    """Fulfils `picam_webrtc.web.parameters.ParameterGateway`, on the loop.

    Its clients are made when somebody asks first, because every one of them costs each turn of the executor.
    """

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        self._node = node
        self._names = tuple(names)
        self._clients: dict[str, AsyncParameterClient] = {}

    async def describe(self) -> Sequence[NodeDescription]:
        described = await asyncio.gather(*(self._describe(name) for name in self._names))
        return [node for node in described if node is not None]

    async def set(self, node: str, values: Mapping[str, object]) -> None:
        client = await self._client(node) if node in self._names else None
        if client is None:
            raise ParameterError(f"node {node!r} is not there; there may be: {', '.join(self._names)}")
        descriptors = (await _answer(client.describe_parameters(list(values)), node)).descriptors
        types = {descriptor.name: _kind(descriptor) for descriptor in descriptors}
        parameters = [_parameter(name, types.get(name, 0), value) for name, value in values.items()]
        result = (await _answer(client.set_parameters_atomically(parameters), node)).result
        if not result.successful:
            raise ParameterError(result.reason)

    async def _client(self, name: str) -> AsyncParameterClient | None:
        """None for a node that is not there, or is not found quickly."""
        if name not in self._clients:
            self._clients[name] = AsyncParameterClient(self._node, name)
        client = self._clients[name]
        for _ in range(DISCOVERY_CHECKS):
            if client.services_are_ready():
                return client
            await asyncio.sleep(DISCOVERY_TIMEOUT_S / DISCOVERY_CHECKS)
        return None

    async def _describe(self, name: str) -> NodeDescription | None:
        """None for a node that is not there."""
        client = await self._client(name)
        if client is None:
            return None
        with contextlib.suppress(ParameterError):
            names = (await _answer(client.list_parameters(), name)).result.names
            ours = [one for one in names if not one.startswith(FOREIGN_PREFIXES)]
            descriptors = (await _answer(client.describe_parameters(ours), name)).descriptors
            # Read-only ones cannot be changed, and some are secrets.
            changeable = [one for one in descriptors if not one.read_only and _kind(one) in TYPE_NAMES]
            values = (await _answer(client.get_parameters([one.name for one in changeable]), name)).values
            pairs = zip(changeable, values, strict=True)
            return NodeDescription(name, tuple(_description(descriptor, value) for descriptor, value in pairs))
        return None


async def _answer(future: Future, node: str) -> Any:
    """The result of a service call, awaited on the loop while the call is served by the spinning thread."""
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    future.add_done_callback(lambda _: call_on_loop(loop, answered.set))
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await answered.wait()
    except TimeoutError:
        future.cancel()
        raise ParameterError(f"node {node!r} does not answer") from None
    return future.result()


def _parameter(name: str, kind: int, value: object) -> Any:
    """A ROS parameter of the type its node declared, which JSON does not always tell: 1 may be a float."""
    if kind not in TYPE_NAMES:
        raise ParameterError(f"there is no parameter {name!r} that can be changed")
    if kind == ParameterType.PARAMETER_DOUBLE and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    try:
        return Parameter(name, Parameter.Type(kind), value).to_parameter_msg()
    except (ValueError, TypeError, AssertionError, OverflowError) as error:
        raise ParameterError(f"parameter {name!r} = {value!r}: must be of type {TYPE_NAMES[kind]}") from error


def _description(descriptor: ParameterDescriptor, value: ParameterValue) -> ParameterDescription:
    python = parameter_value_to_python(value)
    minimum, maximum = _limits(descriptor)
    constraint = descriptor.additional_constraints
    choices = constraint.removeprefix(CHOICES_PREFIX).split(", ") if constraint.startswith(CHOICES_PREFIX) else []
    return ParameterDescription(
        name=descriptor.name,
        type=TYPE_NAMES[_kind(descriptor)],
        value=tuple(python) if isinstance(python, list) else python,
        description=descriptor.description,
        minimum=minimum,
        maximum=maximum,
        choices=tuple(choices),
    )


def _kind(descriptor: ParameterDescriptor) -> Any:
    """The type of its values, of a parameter that is not set too where it tells."""
    named = descriptor.additional_constraints.removeprefix(TYPE_PREFIX)
    if descriptor.type != ParameterType.PARAMETER_NOT_SET or named == descriptor.additional_constraints:
        return descriptor.type
    return next((kind for kind, name in TYPE_NAMES.items() if name == named), ParameterType.PARAMETER_NOT_SET)


def _limits(descriptor: ParameterDescriptor) -> tuple[float | None, float | None]:
    """The range; None at an open end, which ROS can only express by its largest numbers."""
    for limits in (*descriptor.integer_range, *descriptor.floating_point_range):
        low, high = limits.from_value, limits.to_value
        return (None if abs(low) >= _largest(low) else low), (None if abs(high) >= _largest(high) else high)
    return None, None


def _largest(value: float) -> float:
    return INT64_MAX if isinstance(value, int) else FLOAT_MAX

"""Parameters of the robot's nodes over HTTP, for operators: `GET /parameters`, `PATCH /parameters/{node}`.

The node is named as `GET /parameters` names it; the body of a PATCH is a JSON object, parameter name → new value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.errors import ParameterError
from picam_webrtc.web import bodies, problems
from picam_webrtc.web.auth import Role, require, role_of

MAX_BODY_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """One changeable parameter; `type` is bool, int, float, str or tuple (of strings), limits are inclusive.

    A `value` of None is not set: nobody knows it, and nobody has set it.
    """

    name: str
    type: str
    value: ParameterValue | None
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeDescription:
    name: str
    parameters: tuple[ParameterDescription, ...]


class ParameterGateway(Protocol):
    """The way to the nodes' parameters."""

    async def describe(self) -> Sequence[NodeDescription]:
        """The nodes that answer, with the parameters that may be changed while they run."""

    async def set(self, node: str, values: Mapping[str, object]) -> None:
        """Change all of `values` or none. Raises ParameterError with the node's reason."""


GATEWAY = web.AppKey("parameter_gateway", ParameterGateway)


def add_routes(app: web.Application, gateway: ParameterGateway) -> None:
    app[GATEWAY] = gateway
    app.router.add_get("/parameters", describe)
    app.router.add_patch("/parameters/{node}", change)


def may_control(request: web.Request) -> bool:
    """Whether whoever asks may change parameters, and there are any."""
    return GATEWAY in request.app and role_of(request) >= Role.OPERATOR


async def describe(request: web.Request) -> web.Response:
    require(request, Role.OPERATOR)
    nodes = await request.app[GATEWAY].describe()
    return web.json_response({"nodes": [asdict(node) for node in nodes]})


async def change(request: web.Request) -> web.Response:
    require(request, Role.OPERATOR)
    values = await bodies.read_json_object(request, MAX_BODY_BYTES)
    try:
        await request.app[GATEWAY].set(request.match_info["node"], values)
    except ParameterError as error:
        problems.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    return web.Response(status=HTTPStatus.NO_CONTENT)

"""Parameters over HTTP: for operators only."""

from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import pytest

from picam_webrtc.errors import ParameterError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.app import make_app
from picam_webrtc.web.parameters import NodeDescription, ParameterDescription
from picam_webrtc.web.server import serve
from picam_webrtc_test.web.fakes import FakeSessions

THRESHOLD = ParameterDescription("threshold", "float", 0.5, "lowest score", 0.0, 1.0)
VIEWER, OPERATOR = "viewer-token", "operator-token"


class FakeGateway:
    def __init__(self) -> None:
        self.changes: list[tuple[str, dict[str, object]]] = []
        self.error: ParameterError | None = None

    async def describe(self) -> Sequence[NodeDescription]:
        return [NodeDescription("inference_node", (THRESHOLD,))]

    async def set(self, node: str, values: Mapping[str, object]) -> None:
        if self.error is not None:
            raise self.error
        self.changes.append((node, dict(values)))


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def client(gateway: FakeGateway) -> AsyncIterator[aiohttp.ClientSession]:
    settings = WebRtcSettings(port=0, token=VIEWER, operator_token=OPERATOR)
    app = make_app(FakeSessions(), settings, gateway=gateway)
    async with serve(app, settings) as address, aiohttp.ClientSession(address.url) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_an_operator_sees_parameters_with_their_ranges(client: aiohttp.ClientSession) -> None:
    async with client.get("/parameters", headers=bearer(OPERATOR)) as response:
        assert response.status == 200
        (node,) = (await response.json())["nodes"]

    assert node["name"] == "inference_node"
    expected = {"name": "threshold", "type": "float", "value": 0.5, "description": "lowest score"}
    assert node["parameters"] == [{**expected, "minimum": 0.0, "maximum": 1.0, "choices": []}]


async def test_an_operator_changes_parameters(client: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    async with client.patch(
        "/parameters/inference_node", json={"threshold": 0.7}, headers=bearer(OPERATOR)
    ) as response:
        assert response.status == 204

    assert gateway.changes == [("inference_node", {"threshold": 0.7})]


async def test_the_nodes_own_reason_comes_back(client: aiohttp.ClientSession, gateway: FakeGateway) -> None:
    gateway.error = ParameterError("parameter 'threshold' = 2.0: must be from 0 to 1")
    async with client.patch("/parameters/inference_node", json={"threshold": 2}, headers=bearer(OPERATOR)) as response:
        assert response.status == 422
        assert (await response.json(content_type=None))["detail"] == str(gateway.error)


@pytest.mark.parametrize(("token", "status"), [(VIEWER, 403), ("wrong-token", 401)])
async def test_nobody_else_sees_or_changes_anything(
    client: aiohttp.ClientSession, gateway: FakeGateway, token: str, status: int
) -> None:
    async with client.get("/parameters", headers=bearer(token)) as response:
        assert response.status == status
    async with client.patch("/parameters/inference_node", json={"threshold": 1}, headers=bearer(token)) as response:
        assert response.status == status
    assert gateway.changes == []


@pytest.mark.parametrize(("token", "controls"), [(VIEWER, False), (OPERATOR, True)])
async def test_the_list_of_streams_says_who_may_control(
    client: aiohttp.ClientSession, token: str, controls: bool
) -> None:
    async with client.get("/streams", headers=bearer(token)) as response:
        assert (await response.json())["controls"] is controls

"""A media server that only signals: it answers offers as it is told to, and remembers what came."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

ANSWER = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=answer\r\nt=0 0\r\n"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str
    body: str


@dataclass
class Reply:
    status: int = HTTPStatus.CREATED
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ANSWER
    content_type: str = "application/sdp"


class FakeWhip:
    """Set `replies` for the next offers; after them every offer is accepted. `readers` is what its API tells."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.replies: list[Reply] = []
        self.token = ""
        self.readers: object = {"readers": []}

    @property
    def endpoint(self) -> str:
        return f"{self.url}/whip"

    def bodies(self, method: str) -> list[str]:
        return [request.body for request in self.requests if request.method == method]

    def paths(self, method: str) -> list[str]:
        return [request.path for request in self.requests if request.method == method]

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/readers", self._tell_readers)
        app.router.add_route("*", "/{tail:.*}", self._take)
        return app

    async def _tell_readers(self, request: web.Request) -> web.Response:
        if self.readers is None:
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        return web.json_response(self.readers)

    async def _take(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "")
        self.requests.append(Request(request.method, request.path, shown, await request.text()))
        if request.method == "DELETE":
            return web.Response()
        if self.token and shown != f"Bearer {self.token}":
            return web.Response(status=HTTPStatus.UNAUTHORIZED, text="<h1>Unauthorized</h1>\n")
        reply = self.replies.pop(0) if self.replies else Reply(headers={"Location": f"/session/{len(self.requests)}"})
        return web.Response(
            status=reply.status, headers=reply.headers, body=reply.body.encode(), content_type=reply.content_type
        )


@asynccontextmanager
async def fake_whip() -> AsyncIterator[FakeWhip]:
    server = FakeWhip()
    runner = web.AppRunner(server.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()

"""The application: which path leads to which handler."""

import math
import time
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import auth, metrics, mjpeg, origins, page, parameters, problems, server_offer, whep
from picam_webrtc.web.auth import ACCESS, Access, load_tokens
from picam_webrtc.web.contracts import Sessions
from picam_webrtc.web.ice import load_ice_servers
from picam_webrtc.web.keys import ICE_SERVERS, MAX_SDP_BYTES, RATE_LIMIT, SESSIONS
from picam_webrtc.web.limits import RateLimit, address_key
from picam_webrtc.web.metrics import Published
from picam_webrtc.web.origins import ORIGINS, load_origins


def make_app(
    sessions: Sessions,
    settings: WebRtcSettings,
    *,
    pages: Path = page.STATIC,
    gateway: parameters.ParameterGateway | None = None,
    published: Published = tuple,
) -> web.Application:
    """The web server's application; `picam_webrtc.web.server.serve` runs it. Raises SettingError.

    Without a `gateway` nobody can see or change parameters. `published` tells of streams sent to media servers.
    """
    app = web.Application(middlewares=[problems.middleware, limit_rate, origins.middleware, auth.middleware])
    app[SESSIONS] = sessions
    app[MAX_SDP_BYTES] = settings.max_sdp_bytes
    app[ICE_SERVERS] = load_ice_servers(settings)
    app[ORIGINS] = load_origins(settings)
    app[ACCESS] = Access(load_tokens(settings))
    app[RATE_LIMIT] = RateLimit(settings.max_requests_per_second, 2 * settings.max_requests_per_second, time.monotonic)
    app.on_response_prepare.append(page.add_security_headers)
    app.on_response_prepare.append(origins.add_cors_headers)
    app.router.add_get("/streams", list_streams)
    whep.add_routes(app)
    server_offer.add_routes(app)
    mjpeg.add_routes(app)
    if gateway is not None:
        parameters.add_routes(app, gateway)
    metrics.add_routes(app, published)
    page.add_routes(app, pages)
    for route in app.router.routes():
        # aiohttp's own refusal repeats the header, and fails where that is no text.
        route._expect_handler = expect_continue
    return app


async def expect_continue(request: web.Request) -> web.StreamResponse | None:
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        return problems.response(HTTPStatus.EXPECTATION_FAILED, "the only expectation that is met is 100-continue")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
    return None


async def list_streams(request: web.Request) -> web.Response:
    streams = [{"name": name} for name in request.app[SESSIONS].stream_names]
    return web.json_response({"streams": streams, "controls": parameters.may_control(request)})


@web.middleware
async def limit_rate(request: web.Request, handler: Handler) -> web.StreamResponse:
    wait_s = request.app[RATE_LIMIT].wait_s(address_key(request.remote or ""))
    if wait_s:
        headers = {hdrs.RETRY_AFTER: str(math.ceil(wait_s))}
        problems.refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many requests from this address", headers)
    return await handler(request)

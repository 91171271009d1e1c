"""The application: which path leads to which handler."""

from pathlib import Path

from aiohttp import web

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import page, problems, server_offer, whep
from picam_webrtc.web.contracts import Sessions
from picam_webrtc.web.keys import MAX_SDP_BYTES, SESSIONS


def make_app(sessions: Sessions, settings: WebRtcSettings, *, pages: Path = page.STATIC) -> web.Application:
    """The web server's application; `picam_webrtc.web.server.serve` runs it."""
    app = web.Application(middlewares=[problems.middleware])
    app[SESSIONS] = sessions
    app[MAX_SDP_BYTES] = settings.max_sdp_bytes
    app.on_response_prepare.append(page.add_security_headers)
    app.router.add_get("/streams", list_streams)
    whep.add_routes(app)
    server_offer.add_routes(app)
    page.add_routes(app, pages)
    return app


async def list_streams(request: web.Request) -> web.Response:
    return web.json_response({"streams": [{"name": name} for name in request.app[SESSIONS].stream_names]})

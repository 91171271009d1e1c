"""The project's older flow: the server makes the offer, the viewer posts its answer."""

from http import HTTPStatus

from aiohttp import hdrs, web

from picam_webrtc.errors import MalformedOffer
from picam_webrtc.web import bodies
from picam_webrtc.web.contracts import known_stream
from picam_webrtc.web.keys import MAX_SDP_BYTES, SESSIONS
from picam_webrtc.web.limits import address_key

JSON_ENVELOPE_BYTES = 1024
"""What the JSON around an SDP may add; line ends grow by escaping, hence twice the SDP beside it."""


def add_routes(app: web.Application) -> None:
    app.router.add_post("/webrtc", make_offer)
    session = app.router.add_resource("/webrtc/{id}", name="webrtc-session")
    session.add_route(hdrs.METH_POST, take_answer)
    session.add_route(hdrs.METH_DELETE, delete_session)


async def make_offer(request: web.Request) -> web.Response:
    sessions = request.app[SESSIONS]
    stream_name = known_stream(sessions, request.query.get("stream", ""))
    session = await sessions.offer(stream_name, address_key(request.remote or ""))
    location = request.app.router["webrtc-session"].url_for(id=session.id)
    offer = {"id": session.id, "sdp": session.sdp, "type": "offer"}
    return web.json_response(offer, status=HTTPStatus.CREATED, headers={hdrs.LOCATION: str(location)})


async def take_answer(request: web.Request) -> web.Response:
    session = request.app[SESSIONS].get(request.match_info["id"])
    body = await bodies.read_json_object(request, 2 * request.app[MAX_SDP_BYTES] + JSON_ENVELOPE_BYTES)
    sdp = body.get("sdp")
    if body.get("type") != "answer" or not isinstance(sdp, str):
        raise MalformedOffer('the body must be {"sdp": "...", "type": "answer"}')
    await request.app[SESSIONS].accept(session.id, sdp)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def delete_session(request: web.Request) -> web.Response:
    await request.app[SESSIONS].close(request.match_info["id"])
    return web.Response()

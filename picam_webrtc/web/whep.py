"""WHEP (draft-ietf-wish-whep-04): the viewer offers, we answer; the session is an HTTP resource."""

from http import HTTPStatus

from aiohttp import hdrs, web

from picam_webrtc.web import bodies, problems
from picam_webrtc.web.auth import Role, role_of
from picam_webrtc.web.contracts import known_stream
from picam_webrtc.web.keys import ICE_SERVERS, MAX_SDP_BYTES, SESSIONS
from picam_webrtc.web.limits import address_key

SDP = "application/sdp"
SDPFRAG = "application/trickle-ice-sdpfrag"
ACCEPT_POST, ACCEPT_PATCH = "Accept-Post", "Accept-Patch"


def add_routes(app: web.Application) -> None:
    for path in ("/whep", "/whep/{stream}"):
        app.router.add_post(path, create_session)
        app.router.add_get(path, describe_endpoint)
        app.router.add_options(path, endpoint_options)
    session = app.router.add_resource("/whep/{stream}/{id}", name="whep-session")
    session.add_route(hdrs.METH_PATCH, add_candidates)
    session.add_route(hdrs.METH_DELETE, delete_session)
    session.add_route(hdrs.METH_GET, describe_session)
    session.add_route(hdrs.METH_HEAD, describe_session)
    session.add_route(hdrs.METH_OPTIONS, session_options)


async def create_session(request: web.Request) -> web.Response:
    offer = await bodies.read_text(request, SDP, request.app[MAX_SDP_BYTES])
    stream_name = _stream_name(request)
    session = await request.app[SESSIONS].answer(stream_name, offer, address_key(request.remote or ""))
    location = request.app.router["whep-session"].url_for(stream=stream_name, id=session.id)
    if "token" in request.query:
        # Such a client knows no other way to show its token, and has to with every later request.
        location = location.with_query(token=request.query["token"])
    headers = {hdrs.LOCATION: str(location), hdrs.ETAG: _quoted(session.etag), ACCEPT_PATCH: SDPFRAG}
    # Bytes, because a text body would add a charset that the media type does not have.
    body = session.sdp.encode()
    response = web.Response(status=HTTPStatus.CREATED, body=body, content_type=SDP, headers=headers)
    _add_ice_servers(request, response)
    return response


async def describe_endpoint(request: web.Request) -> web.Response:
    """Carries the ICE servers too: a browser uses those it is given before it makes its offer."""
    _stream_name(request)
    response = web.Response(content_type=SDP, headers={ACCEPT_POST: SDP})
    _add_ice_servers(request, response)
    return response


async def endpoint_options(request: web.Request) -> web.Response:
    """A preflight shows no token, and gets no credentials of a TURN server."""
    headers = {ACCEPT_POST: SDP, hdrs.ALLOW: "OPTIONS, GET, HEAD, POST"}
    response = web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers and role_of(request) >= Role.VIEWER:
        _add_ice_servers(request, response)
    return response


async def describe_session(request: web.Request) -> web.Response:
    session = request.app[SESSIONS].get(request.match_info["id"])
    return web.Response(content_type=SDP, headers={hdrs.ETAG: _quoted(session.etag), ACCEPT_PATCH: SDPFRAG})


async def session_options(_request: web.Request) -> web.Response:
    headers = {ACCEPT_PATCH: SDPFRAG, hdrs.ALLOW: "OPTIONS, GET, HEAD, PATCH, DELETE"}
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


async def add_candidates(request: web.Request) -> web.Response:
    """Trickle ICE (RFC 8840); a refused PATCH leaves the session as it is."""
    sessions = request.app[SESSIONS]
    session = sessions.get(request.match_info["id"])
    fragment = await bodies.read_text(request, SDPFRAG, request.app[MAX_SDP_BYTES])
    _check_precondition(request.headers.get(hdrs.IF_MATCH), session.etag)
    await sessions.add_candidates(session.id, fragment)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers={hdrs.ETAG: _quoted(session.etag)})


async def delete_session(request: web.Request) -> web.Response:
    await request.app[SESSIONS].close(request.match_info["id"])
    return web.Response()


def _add_ice_servers(request: web.Request, response: web.Response) -> None:
    for link in request.app[ICE_SERVERS].links():
        response.headers.add(hdrs.LINK, link)


def _stream_name(request: web.Request) -> str:
    return known_stream(request.app[SESSIONS], request.match_info.get("stream", ""))


def _check_precondition(if_match: str | None, etag: str) -> None:
    if if_match is None:
        problems.refuse(HTTPStatus.PRECONDITION_REQUIRED, "PATCH needs If-Match with the session's ETag")
    tags = {tag.strip() for tag in if_match.split(",")}
    if tags & {"*", '"*"'}:
        # RFC 9725, 4.3.3: an ICE restart is asked for with If-Match: "*".
        problems.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "ICE restart is not supported; start a new session")
    if _quoted(etag) not in tags:
        problems.refuse(HTTPStatus.PRECONDITION_FAILED, "If-Match does not name this session's ETag")


def _quoted(etag: str) -> str:
    return f'"{etag}"'

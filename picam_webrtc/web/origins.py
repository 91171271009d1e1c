"""Which pages may use the server, and by which names it may be called.

A page of another site can make its own name point at this machine (DNS rebinding) and is then of the same origin
to the browser. It cannot choose the Host header, so names that are not this machine's are refused.
"""

import re
import socket
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import problems

SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
HOST_PATTERN = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
ANY = "*"

PREFLIGHT_HEADERS = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "OPTIONS, GET, HEAD, POST, PATCH, DELETE",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
    hdrs.ACCESS_CONTROL_MAX_AGE: "600",
}
EXPOSED_HEADERS = "Location, ETag, Link, Accept-Post, Accept-Patch, WWW-Authenticate, Retry-After"


@dataclass(frozen=True, slots=True)
class Origins:
    """`allowed` are whole origins, lower case; `names` the host names this server answers to besides addresses."""

    allowed: frozenset[str]
    names: frozenset[str]

    def allows(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may act on the server it calls `host`.

        The scheme is not compared for our own page: TLS may end at a proxy before us.
        """
        origin = origin.lower()
        own = origin.partition("://")[2] == host.lower()
        return own or origin in self.allowed or ANY in self.allowed

    def knows(self, host: str) -> bool:
        """Whether the Host header is an address, this machine's name, or a name from `allowed_origins`."""
        match = HOST_PATTERN.fullmatch(host)
        if match is None:
            return False
        name = match["name"].strip("[]").rstrip(".").lower()
        return name in self.names or name.endswith(".localhost") or _is_address(name)

    def frame_ancestors(self) -> str:
        return " ".join(("'self'", *sorted(self.allowed)))


ORIGINS = web.AppKey("origins", Origins)


def load_origins(settings: WebRtcSettings) -> Origins:
    """Raises SettingError for what is no origin."""
    allowed = frozenset(_checked(origin) for origin in settings.allowed_origins)
    hostname = socket.gethostname().lower()
    names = {"localhost", hostname, f"{hostname.partition('.')[0]}.local", settings.host.lower()}
    names |= {urlsplit(origin).hostname or "" for origin in allowed - {ANY}}
    return Origins(allowed, frozenset(names - {""}))


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    origins = request.app[ORIGINS]
    if not origins.knows(request.host):
        detail = f"this server is not called {request.host!r}; if it is, add its address to allowed_origins"
        problems.refuse(HTTPStatus.MISDIRECTED_REQUEST, detail)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and request.method not in SAFE_METHODS and not origins.allows(origin, request.host):
        problems.refuse(HTTPStatus.FORBIDDEN, f"pages of {origin!r} may not use this server; see allowed_origins")
    is_preflight = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    if is_preflight and request.match_info.http_exception is not None:
        return web.Response(status=HTTPStatus.NO_CONTENT)
    return await handler(request)


async def add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """A page that is not allowed gets the same response without them, and its browser hides it from the page."""
    origin = request.headers.get(hdrs.ORIGIN)
    response.headers[hdrs.VARY] = hdrs.ORIGIN
    if origin is None or not request.app[ORIGINS].allows(origin, request.host):
        return
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS
    if request.method == hdrs.METH_OPTIONS:
        response.headers.update(PREFLIGHT_HEADERS)


def _checked(origin: str) -> str:
    parts = urlsplit(origin)
    is_origin = parts.scheme in ("http", "https") and HOST_PATTERN.fullmatch(parts.netloc) is not None
    if origin == ANY or (is_origin and origin.lower() == f"{parts.scheme}://{parts.netloc.lower()}"):
        return origin.lower()
    raise SettingError("allowed_origins", origin, "is no origin; write scheme://host or scheme://host:port, or *")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

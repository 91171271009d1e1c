"""Who may watch and who may operate: bearer tokens, and a cookie for browsers that came with one in a link."""

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import problems
from picam_webrtc.web.limits import Failures, address_key

logger = logging.getLogger(__name__)

TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/=-]{8,256}")
"""What fits a Bearer header (RFC 6750), and at least 8 characters of it."""
TOKENS_ARE = "must hold one token a line, one or two of them"
"""What is asked of the file of token_file."""

COOKIE_MAX_AGE_S = 30 * 24 * 3600
MAX_HELD_BACK = 100
"""Failed requests that wait at a time; a flood beyond them is refused at once and costs nothing."""


class Role(IntEnum):
    """Each may do what those before it may."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True)
class Tokens:
    """Empty means that nobody needs one for that role (see `anonymous`)."""

    viewer: str = ""
    operator: str = ""
    minted: bool = False

    @property
    def anonymous(self) -> Role:
        """What whoever shows nothing may do."""
        if self.viewer:
            return Role.NOBODY
        return Role.VIEWER if self.operator else Role.OPERATOR

    def role(self, shown: str) -> Role:
        """Takes equally long whatever is shown."""
        return self._matching(shown, self.viewer, self.operator)

    def role_of_cookie(self, value: str) -> Role:
        return self._matching(value, cookie_value(self.viewer), cookie_value(self.operator))

    @staticmethod
    def _matching(shown: str, viewer: str, operator: str) -> Role:
        data = shown.encode(errors="surrogatepass")
        is_viewer = hmac.compare_digest(data, viewer.encode()) and bool(viewer)
        is_operator = hmac.compare_digest(data, operator.encode()) and bool(operator)
        return Role.OPERATOR if is_operator else Role.VIEWER if is_viewer else Role.NOBODY


def cookie_value(token: str) -> str:
    """Stands for a token without telling it, and stays valid when the server restarts with the same token."""
    return hmac.digest(token.encode(), b"picam_webrtc cookie", hashlib.sha256).hex() if token else ""


def load_tokens(settings: WebRtcSettings) -> Tokens:
    """From the parameters or the file; made here where the address is open to others. Raises SettingError."""
    viewer, operator = settings.token, settings.operator_token
    if settings.token_file:
        viewer, operator = _read_tokens(settings)
    for name, token in (("token", viewer), ("operator_token", operator)):
        if token and not TOKEN_PATTERN.fullmatch(token):
            raise SettingError(name, "(hidden)", "must be 8 to 256 letters, digits or . _ ~ + / = -")
    if viewer and viewer == operator:
        raise SettingError("operator_token", "(hidden)", "must differ from the viewers' token")
    if viewer or is_loopback(settings.host):
        return Tokens(viewer, operator)
    return Tokens(secrets.token_urlsafe(16), operator or secrets.token_urlsafe(16), minted=True)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_tokens(settings: WebRtcSettings) -> tuple[str, str]:
    if settings.token or settings.operator_token:
        raise SettingError("token_file", settings.token_file, "is set beside a token; use one of the two")
    try:
        lines = Path(settings.token_file).read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or error
        raise SettingError("token_file", settings.token_file, f"cannot be read: {reason}; {TOKENS_ARE}") from error
    if not 1 <= len(lines) <= 2:
        raise SettingError("token_file", settings.token_file, TOKENS_ARE)
    return lines[0], lines[1] if len(lines) == 2 else ""


@dataclass(slots=True)
class Access:
    """`public` are paths for everybody; `documents` the pages among them, which show even when they are refused."""

    tokens: Tokens
    failures: Failures = field(default_factory=lambda: Failures(time.monotonic))
    public: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    held_back: int = 0


ACCESS = web.AppKey("access", Access)
# The aiohttp of Ubuntu 24.04 (3.9) has no typed keys for requests, and later ones warn of others.
_ROLE: Any = web.RequestKey("role", Role) if hasattr(web, "RequestKey") else "role"


def role_of(request: web.Request) -> Role:
    """What `middleware` has found out about whoever asks."""
    return Role(request[_ROLE])


def require(request: web.Request, role: Role) -> None:
    """Refuse (403) whoever is less than `role`."""
    if role_of(request) < role:
        problems.refuse(HTTPStatus.FORBIDDEN, f"only for an {role.name.lower()}; see the parameter operator_token")


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Establish `role_of(request)`; refuse nobody's requests, but for public paths and preflights."""
    access = request.app[ACCESS]
    shown = _shown_token(request)
    role = access.tokens.role(shown) if shown is not None else _role_without_token(request)
    request[_ROLE] = max(role, access.tokens.anonymous)
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    if shown is not None and role is Role.NOBODY and access.tokens.anonymous is not Role.OPERATOR:
        await _hold_back(request)
    if path in access.documents:
        return await _document(request, handler, role)
    if role_of(request) is Role.NOBODY and path not in access.public and request.method != hdrs.METH_OPTIONS:
        problems.refuse(HTTPStatus.UNAUTHORIZED, "a token is needed and was not shown, or is wrong", _challenge(shown))
    return await handler(request)


def _challenge(shown: str | None) -> dict[str, str]:
    error = ', error="invalid_token"' if shown is not None else ""
    return {hdrs.WWW_AUTHENTICATE: f'Bearer realm="picam_webrtc"{error}'}


async def _document(request: web.Request, handler: Handler, role: Role) -> web.StreamResponse:
    """The page. With a right token in its address that is exchanged for a cookie and goes out of sight.

    Without one, the page still comes, with status 401: it says in words what is missing. It also finishes the
    exchange where a link on another site led here, since a Strict cookie is not sent along with that redirect.
    """
    if role is not Role.NOBODY and "token" in request.query:
        response = web.Response(status=HTTPStatus.SEE_OTHER)
        others = [(name, value) for name, value in request.query.items() if name != "token"]
        response.headers[hdrs.LOCATION] = str(request.rel_url.with_query(others))
        set_cookie(request, response, request.query["token"])
        return response
    page = await handler(request)
    if role_of(request) is Role.NOBODY:
        page.set_status(HTTPStatus.UNAUTHORIZED)
        page.headers.update(_challenge(_shown_token(request)))
    return page


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    response.set_cookie(
        _cookie_name(request),
        cookie_value(token),
        max_age=COOKIE_MAX_AGE_S,
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


def _cookie_name(request: web.Request) -> str:
    # A browser keeps one jar for all ports of a host.
    return f"picam_webrtc_{request.url.port}"


def _shown_token(request: web.Request) -> str | None:
    """The token of the header or the address; None where the request carries neither."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query.get("token")


def _role_without_token(request: web.Request) -> Role:
    """A stale cookie is no guess at a token: it is not slowed, it only opens nothing."""
    return request.app[ACCESS].tokens.role_of_cookie(request.cookies.get(_cookie_name(request), ""))


async def _hold_back(request: web.Request) -> None:
    """Answer a wrong token late, the later the more there were; a flood is turned away."""
    access = request.app[ACCESS]
    address = address_key(request.remote or "")
    count, delay_s = access.failures.add(address)
    if count & (count - 1) == 0:
        logger.warning("Refused a wrong token from %s (%d so far)", address, count)
    if access.held_back >= MAX_HELD_BACK:
        headers = {hdrs.RETRY_AFTER: str(round(Failures.MAX_DELAY_S))}
        problems.refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens", headers)
    access.held_back += 1
    try:
        await asyncio.sleep(delay_s)
    finally:
        access.held_back -= 1

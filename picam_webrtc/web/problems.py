"""Every refusal as application/problem+json (RFC 9457), with the status code that WHEP asks for."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NoReturn

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, LooseHeaders

from picam_webrtc.errors import (
    MalformedOffer,
    NoLiveSource,
    StreamError,
    TooManyViewers,
    UnknownSession,
    UnknownStream,
    UnusableOffer,
)

CONTENT_TYPE = "application/problem+json"

STATUSES: Mapping[type[StreamError], HTTPStatus] = MappingProxyType(
    {
        MalformedOffer: HTTPStatus.BAD_REQUEST,
        UnusableOffer: HTTPStatus.UNPROCESSABLE_ENTITY,
        NoLiveSource: HTTPStatus.CONFLICT,
        TooManyViewers: HTTPStatus.SERVICE_UNAVAILABLE,
        UnknownStream: HTTPStatus.NOT_FOUND,
        UnknownSession: HTTPStatus.NOT_FOUND,
    }
)

RETRY_AFTER_S: Mapping[type[StreamError], int] = MappingProxyType({NoLiveSource: 1, TooManyViewers: 5})
"""A camera node is found within a second or so when it, or this one, was restarted; a viewer leaves when a person
decides to.
"""


def response(status: int, detail: str, headers: LooseHeaders | None = None) -> web.Response:
    """A problem document; JSON escapes whatever of a viewer's own words `detail` repeats."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    return web.Response(status=status, body=body, content_type=CONTENT_TYPE, headers=headers)


def refuse(status: int, detail: str, headers: LooseHeaders | None = None) -> NoReturn:
    """End the request with this problem."""
    raise Refused(status, detail, headers or {})


class Refused(Exception):
    """A request that `middleware` answers with a problem document; never leaves this folder."""

    def __init__(self, status: int, detail: str, headers: LooseHeaders) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return response(refused.status, refused.detail, refused.headers)
    except StreamError as error:
        retry_after_s = RETRY_AFTER_S.get(type(error))
        headers = {} if retry_after_s is None else {hdrs.RETRY_AFTER: str(retry_after_s)}
        return response(STATUSES[type(error)], str(error), headers)
    except web.HTTPClientError as error:
        allowed = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}
        return response(error.status, f"{request.method} {request.path}: {error.reason}", allowed)

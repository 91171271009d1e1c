"""Reading a request's body: the right type, not too large, not too slow."""

import asyncio
import json
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError

from picam_webrtc.errors import MalformedOffer
from picam_webrtc.web import problems

BODY_TIMEOUT_S = 5.0
"""An SDP is a few packets: who needs longer is not sending one."""


async def read_text(request: web.Request, content_type: str, limit_bytes: int) -> str:
    """The body as text. Refuses another type (415), more bytes (413), a slow sender (408), what is not UTF-8 (400)."""
    if request.content_type != content_type:
        headers = {hdrs.ACCEPT: content_type}
        detail = f"Content-Type is {request.content_type!r} and must be {content_type!r}"
        problems.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, headers)
    body = await _read_bytes(request, limit_bytes)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedOffer(f"the body is not UTF-8: byte {error.start} cannot be decoded") from error


async def read_json_object(request: web.Request, limit_bytes: int) -> dict[str, object]:
    """The body as a JSON object; refuses as `read_text` does, and what is no JSON object with 400."""
    text = await read_text(request, "application/json", limit_bytes)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedOffer(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedOffer("the body must be a JSON object")
    return value


async def _read_bytes(request: web.Request, limit_bytes: int) -> bytes:
    if (request.content_length or 0) > limit_bytes:
        _refuse_size(limit_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit_bytes:
                    _refuse_size(limit_bytes)
    except TimeoutError:
        headers = {hdrs.CONNECTION: "close"}
        problems.refuse(HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {BODY_TIMEOUT_S:g} s", headers)
    except (ConnectionError, web.RequestPayloadError, HttpProcessingError):
        problems.refuse(HTTPStatus.BAD_REQUEST, "the body is cut short or badly framed", {hdrs.CONNECTION: "close"})
    return bytes(body)


def _refuse_size(limit_bytes: int) -> None:
    headers = {hdrs.CONNECTION: "close"}
    problems.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit_bytes} bytes", headers)

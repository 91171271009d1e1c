"""Plain pictures over HTTP: `/mjpeg/{stream}` for ever, `/snapshot/{stream}.jpg` once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from aiohttp import hdrs, web

from picam_webrtc.errors import NoLiveSource
from picam_webrtc.streaming.encode.jpeg import JpegPicture
from picam_webrtc.web.contracts import known_stream
from picam_webrtc.web.keys import SESSIONS
from picam_webrtc.web.limits import address_key

BOUNDARY = "picture"
FIRST_PICTURE_TIMEOUT_S = 5.0
"""A sleeping camera takes a second or two to wake."""
STALLED_WRITE_TIMEOUT_S = 10.0
"""Who takes no byte for that long is gone or hostile."""
STAMP_HEADER = "X-Timestamp"
"""Time of capture [s since 1970], as other MJPEG servers name it."""


def add_routes(app: web.Application) -> None:
    app.router.add_get("/mjpeg", send_pictures, allow_head=False)
    app.router.add_get("/mjpeg/{stream}", send_pictures, allow_head=False)
    app.router.add_get("/snapshot/{stream}.jpg", send_picture, allow_head=False)


async def send_pictures(request: web.Request) -> web.StreamResponse:
    async with aclosing(_pictures(request)) as pictures:
        first = await _first(pictures)
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: f"multipart/x-mixed-replace; boundary={BOUNDARY}"})
        await response.prepare(request)
        with suppress(ConnectionError, TimeoutError):  # the usual ends of a response without one
            await _write(response, first)
            async for picture in pictures:
                await _write(response, picture)
    return response


async def send_picture(request: web.Request) -> web.Response:
    async with aclosing(_pictures(request)) as pictures:
        picture = await _first(pictures)
    headers = {STAMP_HEADER: _stamp(picture)}
    return web.Response(body=picture.data, content_type="image/jpeg", headers=headers)


def _pictures(request: web.Request) -> AsyncGenerator[JpegPicture]:
    sessions = request.app[SESSIONS]
    name = known_stream(sessions, request.match_info.get("stream", ""))
    return sessions.pictures(name, address_key(request.remote or ""))


async def _first(pictures: AsyncGenerator[JpegPicture]) -> JpegPicture:
    try:
        async with asyncio.timeout(FIRST_PICTURE_TIMEOUT_S):
            return await anext(pictures)
    except TimeoutError:
        raise NoLiveSource(f"no picture came within {FIRST_PICTURE_TIMEOUT_S:g} s; try again later") from None


async def _write(response: web.StreamResponse, picture: JpegPicture) -> None:
    head = (
        f"--{BOUNDARY}\r\n{hdrs.CONTENT_TYPE}: image/jpeg\r\n{hdrs.CONTENT_LENGTH}: {len(picture.data)}\r\n"
        f"{STAMP_HEADER}: {_stamp(picture)}\r\n\r\n"
    )
    async with asyncio.timeout(STALLED_WRITE_TIMEOUT_S):
        await response.write(b"%b%b\r\n" % (head.encode(), picture.data))


def _stamp(picture: JpegPicture) -> str:
    seconds, nanoseconds = divmod(picture.stamp_ns, 1_000_000_000)
    return f"{seconds}.{nanoseconds:09d}"

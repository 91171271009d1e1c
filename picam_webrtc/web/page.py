"""The page's files, and the headers that keep a browser from doing more with them than we meant."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picam_webrtc.web.auth import ACCESS
from picam_webrtc.web.origins import ORIGINS

STATIC = Path(__file__).parent / "static"

CONTENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".ico": "image/x-icon",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".webmanifest": "application/manifest+json",
        ".woff2": "font/woff2",
    }
)
"""Stated here, because the system's table differs from machine to machine."""

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data: blob:",
                "media-src 'self' blob: mediastream:",
                "connect-src 'self'",
                "font-src 'self'",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'self'",
            )
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Server": "picam_webrtc",
    }
)


def add_routes(app: web.Application, directory: Path) -> None:
    """One route for each file under `directory`, `/` for index.html: no request is ever turned into a path.

    The files tell nothing about this robot, and have to reach who has no token yet to say so.
    """
    access = app[ACCESS]
    for file in sorted(directory.rglob("*")):
        content_type = CONTENT_TYPES.get(file.suffix)
        if content_type is None or not file.is_file():
            continue
        relative = file.relative_to(directory).as_posix()
        handler = _sender(file, content_type)
        app.router.add_get(f"/{relative}", handler)
        access.public.add(f"/{relative}")
        if file.suffix == ".html":
            access.documents.add(f"/{relative}")
        if relative == "index.html":
            app.router.add_get("/", handler)
            access.documents.add("/")


def _sender(file: Path, content_type: str) -> Handler:
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-cache"}

    async def send(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file, headers=headers)

    return send


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    frame_ancestors = f"; frame-ancestors {request.app[ORIGINS].frame_ancestors()}"
    response.headers["Content-Security-Policy"] += frame_ancestors
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")

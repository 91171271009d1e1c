"""The page's files, the list of streams, and what every response carries."""

from pathlib import Path

import aiohttp

from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve
from picam_webrtc_test.web.fakes import FakeSessions


async def test_streams_are_listed_the_default_first(client: aiohttp.ClientSession) -> None:
    async with client.get("/streams") as response:
        assert await response.json() == {"streams": [{"name": "processed"}, {"name": "raw"}], "controls": False}


async def test_files_are_served_with_their_types_and_revalidated(sessions: FakeSessions, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "viewer.js").write_text("export {};")
    app = make_app(sessions, settings := WebRtcSettings(port=0), pages=tmp_path)
    async with serve(app, settings) as address, aiohttp.ClientSession(address.url) as client:
        async with client.get("/") as response:
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert await response.text() == "<!doctype html>"
        async with client.get("/viewer.js") as response:
            assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-cache"
            etag = response.headers["ETag"]
        async with client.get("/viewer.js", headers={"If-None-Match": etag}) as response:
            assert response.status == 304


async def test_no_path_leads_out_of_the_pages(client: aiohttp.ClientSession) -> None:
    for path in ("/../app.py", "/..%2fapp.py", "/static/../app.py", "/app.py"):
        async with client.get(path) as response:
            assert response.status == 404


async def test_every_response_forbids_inline_script_and_sniffing(client: aiohttp.ClientSession) -> None:
    for path in ("/streams", "/nowhere"):
        async with client.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "unsafe-inline" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_not_there_is_a_problem_document(client: aiohttp.ClientSession) -> None:
    async with client.get("/nowhere<script>") as response:
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["title"]) == (404, "Not Found")

"""What the handlers share, by typed key."""

from aiohttp import web

from picam_webrtc.web.contracts import Sessions

SESSIONS = web.AppKey("sessions", Sessions)
MAX_SDP_BYTES = web.AppKey("max_sdp_bytes", int)

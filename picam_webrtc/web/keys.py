"""What the handlers share, by typed key."""

from aiohttp import web

from picam_webrtc.web.contracts import Sessions
from picam_webrtc.web.ice import IceServers
from picam_webrtc.web.limits import RateLimit

SESSIONS = web.AppKey("sessions", Sessions)
MAX_SDP_BYTES = web.AppKey("max_sdp_bytes", int)
ICE_SERVERS = web.AppKey("ice_servers", IceServers)
RATE_LIMIT = web.AppKey("rate_limit", RateLimit)

"""STUN and TURN servers as Link headers (RFC 9725, 4.6), with credentials of a day where a secret is shared."""

import base64
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings

SERVER_PATTERN = re.compile(
    r"(?P<scheme>stuns?|turns?):(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?"
)
"""RFC 7064 and RFC 7065."""

CREDENTIAL_LIFETIME_S = 24 * 3600
"""A TURN server checks the expiry each time a viewer's allocation is refreshed, so it bounds how long one can watch."""


@dataclass(frozen=True, slots=True)
class IceServers:
    uris: tuple[str, ...] = ()
    username: str = ""
    password: str = ""
    secret: str = ""

    def links(self, now: Callable[[], float] = time.time) -> list[str]:
        """One Link header's value for each server."""
        username, password = self._credentials(now())
        quoted = f'username="{_escaped(username)}"; credential="{_escaped(password)}"; credential-type="password"'
        return [
            f'<{uri}>; rel="ice-server"; {quoted}' if uri.startswith("turn") else f'<{uri}>; rel="ice-server"'
            for uri in self.uris
        ]

    def _credentials(self, now_s: float) -> tuple[str, str]:
        """As the TURN servers' REST API has it: the user name is the expiry, the password its HMAC."""
        if not self.secret:
            return self.username, self.password
        username = f"{int(now_s) + CREDENTIAL_LIFETIME_S}:viewer"
        return username, base64.b64encode(hmac.digest(self.secret.encode(), username.encode(), "sha1")).decode()


def load_ice_servers(settings: WebRtcSettings) -> IceServers:
    """Raises SettingError for what is no server, and for a TURN server without credentials."""
    for uri in settings.ice_servers:
        match = SERVER_PATTERN.fullmatch(uri)
        if match is None:
            raise SettingError("ice_servers", uri, "is no server; write stun:host:port or turn:host:port?transport=udp")
        has_credentials = settings.turn_secret or (settings.turn_username and settings.turn_password)
        if match["scheme"].startswith("turn") and not has_credentials:
            raise SettingError("ice_servers", uri, "needs turn_username and turn_password, or turn_secret")
    for name in ("turn_username", "turn_password"):
        if not getattr(settings, name).isprintable():
            raise SettingError(name, "(hidden)", "must be printable")
    return IceServers(settings.ice_servers, settings.turn_username, settings.turn_password, settings.turn_secret)


def _escaped(text: str) -> str:
    """For a quoted-string (RFC 9110, 5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')

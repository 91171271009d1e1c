"""STUN and TURN servers that a connection of ours uses itself (those for viewers are handed out by the web server)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

QUOTED = r'"(?:[^"\\]|\\.)*"'
PARAMETER = rf'\s*;\s*([\w-]+)\s*=\s*({QUOTED}|[^\s",;]+)'
LINK_PATTERN = re.compile(rf'<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:{QUOTED}|[^\s",;]+))*)')
PARAMETER_PATTERN = re.compile(PARAMETER)
"""RFC 8288, 3: a credential in quotes may hold commas and semicolons, too."""
SERVER_PATTERN = re.compile(r"stun:[\w.-]+(:\d{1,5})?|turns?:[\w.-]+(:\d{1,5})?(\?transport=(udp|tcp))?")
"""What aiortc understands of RFC 7064 and RFC 7065; it refuses a whole list for one that it does not."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """`uri` matches SERVER_PATTERN: stun:host:port, turn:host:port?transport=udp, turns:host:port."""

    uri: str
    username: str = ""
    password: str = ""


def linked_servers(headers: Iterable[str]) -> tuple[IceServer, ...]:
    """The servers that Link headers name (RFC 9725, 4.6); what we cannot use is left out."""
    servers = []
    for header in headers:
        for uri, rest in LINK_PATTERN.findall(header):
            parameters = {name.lower(): _unquoted(value) for name, value in PARAMETER_PATTERN.findall(rest)}
            if parameters.get("rel") == "ice-server" and SERVER_PATTERN.fullmatch(uri):
                servers.append(IceServer(uri, parameters.get("username", ""), parameters.get("credential", "")))
    return tuple(servers)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value

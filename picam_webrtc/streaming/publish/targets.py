"""Which stream goes to which media server, with which token: what the `publish_` parameters say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from picam_webrtc.errors import PublishError, SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.ice_servers import SERVER_PATTERN, IceServer

SEPARATOR = ":="


@dataclass(frozen=True, slots=True)
class Target:
    """One stream's way to one media server."""

    stream: str
    endpoint: URL
    readers: URL | None = None


def load_targets(settings: WebRtcSettings, streams: Sequence[str]) -> tuple[Target, ...]:
    """Raises SettingError. Values are not repeated in it where they may hold a key."""
    readers = dict(_entry("publish_readers_urls", text, streams) for text in settings.publish_readers_urls)
    targets = []
    for text in settings.publish_urls:
        stream, url = _entry("publish_urls", text, streams)
        targets.append(Target(stream, url, readers.get(stream)))
    unused = readers.keys() - {target.stream for target in targets}
    if unused:
        raise SettingError("publish_readers_urls", sorted(unused), "is for a stream that publish_urls does not name")
    return tuple(targets)


def _entry(parameter: str, text: str, streams: Sequence[str]) -> tuple[str, URL]:
    stream, separator, address = text.partition(SEPARATOR)
    if not separator:
        raise SettingError(parameter, "(hidden)", "must be name:=https://host/path")
    if stream not in streams:
        raise SettingError(parameter, stream, f"there is no such stream; there are: {', '.join(streams)}")
    try:
        url = URL(address)
    except ValueError as error:
        raise SettingError(parameter, stream, f"has no usable address: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingError(parameter, stream, "must be followed by an address that begins with http:// or https://")
    return stream, url


def load_ice_servers(settings: WebRtcSettings) -> tuple[IceServer, ...]:
    """Raises SettingError."""
    return tuple(_ice_server(uri, settings) for uri in settings.publish_ice_servers)


def _ice_server(uri: str, settings: WebRtcSettings) -> IceServer:
    if not SERVER_PATTERN.fullmatch(uri):
        raise SettingError("publish_ice_servers", uri, "must be stun:host:port or turn:host:port?transport=udp")
    if uri.startswith("stun"):
        return IceServer(uri)
    if not (settings.turn_username and settings.turn_password):
        raise SettingError("publish_ice_servers", uri, "needs turn_username and turn_password")
    return IceServer(uri, settings.turn_username, settings.turn_password)


class PublishTokens:
    """The token of each stream. The file is read anew each time, so that a token can be renewed without a restart."""

    def __init__(self, settings: WebRtcSettings) -> None:
        """Raises SettingError for a token beside a file, and for a file that cannot be used now."""
        self._token = settings.publish_token
        self._path = settings.publish_token_file
        if self._token and self._path:
            raise SettingError("publish_token_file", self._path, "is set beside publish_token; use one of the two")
        if self._path:
            try:
                self.of("")
            except PublishError as error:
                raise SettingError("publish_token_file", self._path, str(error)) from error

    @property
    def used(self) -> bool:
        return bool(self._token or self._path)

    def of(self, stream: str) -> str:
        """Empty where there is none for that stream. Raises PublishError for a file that cannot be read."""
        if not self._path:
            return self._token
        try:
            lines = Path(self._path).read_text().split()
        except (OSError, UnicodeDecodeError) as error:
            raise PublishError(f"the file of publish_token_file cannot be read: {error}", lasting=True) from error
        named = dict(line.split(SEPARATOR, 1) for line in lines if SEPARATOR in line)
        common = [line for line in lines if SEPARATOR not in line]
        return named.get(stream, common[0] if common else "")

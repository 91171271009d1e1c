"""What the HTTP side needs of the streaming side, and nothing more."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from picam_webrtc.errors import UnknownStream
from picam_webrtc.streaming.encode.jpeg import JpegPicture
from picam_webrtc.streaming.fanout.snapshot import SessionsSnapshot


class Session(Protocol):
    """One viewer's connection, as a WHEP resource."""

    @property
    def id(self) -> str:
        """Unguessable: it is all that a URL needs to name the session."""

    @property
    def sdp(self) -> str:
        """Our answer, or our offer in the server-made flow, with every candidate in it."""

    @property
    def etag(self) -> str:
        """Names this ICE session; without the quotes of the HTTP header."""


class Sessions(Protocol):
    """Every method raises the StreamError that fits; picam_webrtc/web/problems.py has their HTTP statuses."""

    @property
    def stream_names(self) -> Sequence[str]:
        """In the order of the parameter `streams`; the first is the default."""

    def get(self, session_id: str) -> Session: ...

    async def answer(self, stream_name: str, offer_sdp: str, address: str = "") -> Session: ...

    async def offer(self, stream_name: str, address: str = "") -> Session: ...

    async def accept(self, session_id: str, answer_sdp: str) -> None: ...

    async def add_candidates(self, session_id: str, sdpfrag: str) -> None: ...

    async def close(self, session_id: str) -> None: ...

    def pictures(self, stream_name: str, address: str = "") -> AsyncGenerator[JpegPicture]: ...

    def snapshot(self) -> SessionsSnapshot: ...


def known_stream(sessions: Sessions, name: str) -> str:
    """`name`, or the first stream where it is empty. Raises UnknownStream."""
    names = sessions.stream_names
    if not name and names:
        return names[0]
    if name not in names:
        raise UnknownStream(f"no stream {name!r}; there are: {', '.join(names) or 'none'}")
    return name

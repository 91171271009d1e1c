"""A streaming side without media: sessions that only exist."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from uuid import uuid4

from picam_webrtc.errors import StreamError, UnknownSession
from picam_webrtc.streaming.encode.jpeg import JpegPicture
from picam_webrtc.streaming.fanout.snapshot import SessionsSnapshot

ANSWER_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=answer\r\nt=0 0\r\n"
OFFER_SDP = ANSWER_SDP.replace("s=answer", "s=offer")


@dataclass(frozen=True)
class FakeSession:
    stream_name: str
    sdp: str
    address: str
    etag: str = "etag-1"
    id: str = field(default_factory=lambda: str(uuid4()))


class FakeSessions:
    """Fulfils `picam_webrtc.web.contracts.Sessions`; set `error` to have the next calls refused."""

    def __init__(self) -> None:
        self.stream_names: tuple[str, ...] = ("processed", "raw")
        self.open: dict[str, FakeSession] = {}
        self.received: list[tuple[str, str]] = []
        self.error: StreamError | None = None
        self.jpegs: list[JpegPicture] = []
        self.shown = SessionsSnapshot(())

    def get(self, session_id: str) -> FakeSession:
        try:
            return self.open[session_id]
        except KeyError:
            raise UnknownSession(f"no session {session_id!r}") from None

    async def answer(self, stream_name: str, offer_sdp: str, address: str = "") -> FakeSession:
        self._receive("offer", offer_sdp)
        return self._add(FakeSession(stream_name, ANSWER_SDP, address))

    async def offer(self, stream_name: str, address: str = "") -> FakeSession:
        self._receive("request", stream_name)
        return self._add(FakeSession(stream_name, OFFER_SDP, address))

    async def accept(self, session_id: str, answer_sdp: str) -> None:
        self.get(session_id)
        self._receive("answer", answer_sdp)

    async def add_candidates(self, session_id: str, sdpfrag: str) -> None:
        self.get(session_id)
        self._receive("candidates", sdpfrag)

    async def close(self, session_id: str) -> None:
        del self.open[self.get(session_id).id]

    async def pictures(self, stream_name: str, address: str = "") -> AsyncGenerator[JpegPicture]:
        self._receive("pictures", stream_name)
        for picture in self.jpegs:
            yield picture
        await asyncio.Event().wait()

    def snapshot(self) -> SessionsSnapshot:
        return self.shown

    def _receive(self, kind: str, text: str) -> None:
        self.received.append((kind, text))
        if self.error is not None:
            raise self.error

    def _add(self, session: FakeSession) -> FakeSession:
        self.open[session.id] = session
        return session

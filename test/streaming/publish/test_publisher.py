"""What a publisher does in the course of days, in simulated time, and what the parameters may say."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from picam_webrtc.errors import NoLiveSource, SettingError, UnusableOffer
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.streaming.ice_servers import IceServer
from picam_webrtc.streaming.publish.backoff import FIRST_S, LONGEST_REFUSED_S, LONGEST_S, BackOff
from picam_webrtc.streaming.publish.publisher import SILENCE_LIMIT_S, Publisher, PublishState, SilenceWatch
from picam_webrtc.streaming.publish.publishers import Publishers
from picam_webrtc.streaming.publish.readers import PAUSE_AFTER_S, count_readers, readers_in
from picam_webrtc.streaming.publish.targets import PublishTokens, Target, load_ice_servers, load_targets
from picam_webrtc.streaming.publish.whip import WhipClient
from picam_webrtc_test.streaming.fake_whip import ANSWER, FakeWhip, Reply, fake_whip
from picam_webrtc_test.streaming.fakes import until

STREAMS = ("processed", "raw")


@dataclass
class FakeSession:
    id: str
    sdp: str = "offer"
    state: str = "new"
    reports: int = 0
    running: bool = False
    resumed: int = 0

    def pause(self) -> None:
        self.running = False

    def resume(self) -> None:
        self.running = True
        self.resumed += 1


@dataclass
class FakeSessions:
    """Sessions connect as soon as they are accepted, unless told otherwise."""

    stream_names: tuple[str, ...] = STREAMS
    live: bool = True
    connects: bool = True
    unusable: bool = False
    made: list[FakeSession] = field(default_factory=list)
    servers: list[tuple[IceServer, ...]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    async def publish(self, stream_name: str, address: str = "", ice_servers: Sequence[IceServer] = ()) -> FakeSession:
        if not self.live:
            raise NoLiveSource("nobody publishes frames")
        self.servers.append(tuple(ice_servers))
        self.made.append(FakeSession(str(len(self.made)), sdp=f"offer {len(self.made)}"))
        return self.made[-1]

    async def accept(self, session_id: str, answer_sdp: str) -> None:
        if self.unusable:
            raise UnusableOffer("the answer has none of our codecs")
        assert answer_sdp == ANSWER
        self.made[int(session_id)].state = "connected" if self.connects else "failed"

    async def close(self, session_id: str) -> None:
        self.closed.append(session_id)


class SimulatedTime:
    """Time that passes as fast as the publisher sleeps; `waits` are its sleeps of other lengths than a tick."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.sleeps: list[float] = []

    def now_s(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


class Bench:
    """A publisher with everything around it simulated but HTTP, which is real."""

    def __init__(self, server: FakeWhip, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.sessions = FakeSessions()
        self.time = SimulatedTime()
        self.readers: int | None = None
        self.whip = WhipClient(http, URL(server.endpoint), lambda: "token-of-robot")

    def publisher(self, *, counting: bool = False) -> Publisher:
        async def count() -> int | None:
            return self.readers

        return Publisher(
            Target("processed", URL(self.server.endpoint)),
            self.sessions,
            self.whip,
            count=count if counting else None,
            timing=self.time,
            back_off=BackOff(lambda _low, high: high),
        )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with fake_whip() as server, aiohttp.ClientSession() as http:
        yield Bench(server, http)


class Running:
    """A publisher at work; waits for states of it, since simulated time passes while HTTP takes real time."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self._task = asyncio.create_task(publisher.run())

    async def until(self, condition: object, turns: int = 20_000) -> None:
        assert callable(condition)
        for _ in range(turns):
            if condition():
                return
            assert not self._task.done(), self._task.exception()
            await asyncio.sleep(0)
        raise AssertionError(f"never came true; {self.publisher.snapshot()}")

    async def until_state(self, state: PublishState) -> None:
        await self.until(lambda: self.publisher.snapshot().state is state)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
async def run() -> AsyncIterator[type[Running]]:
    started: list[Running] = []

    class Tracked(Running):
        def __init__(self, publisher: Publisher) -> None:
            super().__init__(publisher)
            started.append(self)

    yield Tracked
    for one in started:
        await one.stop()


async def test_a_stream_is_sent_once_the_server_has_taken_it(bench: Bench, run: type[Running]) -> None:
    running = run(bench.publisher())
    await running.until_state(PublishState.PUBLISHING)

    assert bench.server.bodies("POST") == ["offer 0"]
    assert bench.sessions.made[0].running
    assert running.publisher.snapshot().connections == 1


async def test_stopping_ends_the_session_on_both_sides(bench: Bench, run: type[Running]) -> None:
    running = run(bench.publisher())
    await running.until_state(PublishState.PUBLISHING)
    await running.stop()

    assert bench.sessions.closed == ["0"]
    assert bench.server.paths("DELETE") == ["/session/1"]


@pytest.mark.parametrize("end", ["failed", "closed"])
async def test_a_lost_connection_is_made_anew(bench: Bench, run: type[Running], end: str) -> None:
    running = run(bench.publisher())
    await running.until_state(PublishState.PUBLISHING)
    bench.sessions.made[0].state = end
    await running.until(lambda: running.publisher.snapshot().connections == 2)

    assert bench.server.paths("DELETE") == ["/session/1"], "the server may hold on to the lost session"
    assert bench.sessions.closed == ["0"]


async def test_a_server_that_reported_and_has_fallen_silent_is_left(bench: Bench, run: type[Running]) -> None:
    running = run(bench.publisher())
    await running.until_state(PublishState.PUBLISHING)
    bench.sessions.made[0].reports = 5
    await running.until(lambda: running.publisher.snapshot().failures == 1)

    assert "has said nothing for 10 s" in running.publisher.snapshot().error


async def test_without_frames_nothing_is_offered_and_with_the_first_it_is(bench: Bench, run: type[Running]) -> None:
    bench.sessions.live = False
    running = run(bench.publisher())
    await running.until(lambda: len(bench.time.sleeps) > 20)
    assert running.publisher.snapshot().state is PublishState.WAITING
    assert bench.server.requests == []

    bench.sessions.live = True
    await running.until_state(PublishState.PUBLISHING)


async def test_the_server_is_tried_for_ever_within_four_seconds_of_each_other(
    bench: Bench, run: type[Running], caplog: pytest.LogCaptureFixture
) -> None:
    bench.server.replies = [Reply(HTTPStatus.BAD_GATEWAY, {}, "") for _ in range(12)]
    running = run(bench.publisher())
    with caplog.at_level(logging.WARNING):
        await running.until_state(PublishState.PUBLISHING)

    waits = [seconds for seconds in bench.time.sleeps if seconds >= FIRST_S][:12]
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    assert bench.sessions.closed == [str(number) for number in range(12)]
    assert len([line for line in caplog.messages if "is not published" in line]) == 1, "once, not once a try"


async def test_a_wrong_token_is_tried_ever_more_rarely(bench: Bench, run: type[Running]) -> None:
    bench.server.token = "token-of-another-robot"  # noqa: S105
    running = run(bench.publisher())
    await running.until(lambda: running.publisher.snapshot().failures == 10)

    assert bench.time.sleeps[:10] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert "publish_token" in running.publisher.snapshot().error


async def test_an_overloaded_server_is_left_alone_for_as_long_as_it_asks(bench: Bench, run: type[Running]) -> None:
    bench.server.replies = [Reply(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "100"}, "")]
    running = run(bench.publisher())
    await running.until_state(PublishState.PUBLISHING)

    assert bench.time.sleeps[0] == pytest.approx(125)


async def test_an_answer_that_cannot_be_used_is_not_asked_for_every_second(bench: Bench, run: type[Running]) -> None:
    bench.sessions.unusable = True
    running = run(bench.publisher())
    await running.until(lambda: running.publisher.snapshot().failures == 8)

    assert bench.time.sleeps[7] == LONGEST_REFUSED_S
    assert len(bench.server.paths("DELETE")) == 8


async def test_where_no_connection_comes_about_the_servers_own_turn_servers_are_used_next(
    bench: Bench, run: type[Running]
) -> None:
    turn = IceServer("turn:turn.example.net?transport=tcp", "u", "p")
    link = f'<{turn.uri}>; rel="ice-server"; username="u"; credential="p"'
    bench.server.replies = [Reply(headers={"Location": "/1", "Link": link})]
    bench.sessions.connects = False
    running = run(bench.publisher())
    await running.until(lambda: running.publisher.snapshot().failures == 1)
    bench.sessions.connects = True
    await running.until_state(PublishState.PUBLISHING)

    assert bench.sessions.servers == [(), (turn,)]


async def test_a_stream_that_nobody_reads_is_paused_and_resumed_for_the_first_reader(
    bench: Bench, run: type[Running]
) -> None:
    bench.readers = 0
    running = run(bench.publisher(counting=True))
    await running.until_state(PublishState.PUBLISHING)
    started_s = bench.time.seconds
    await running.until_state(PublishState.PAUSED)
    session = bench.sessions.made[0]
    assert not session.running
    assert bench.time.seconds - started_s == pytest.approx(PAUSE_AFTER_S, abs=2)

    session.reports = 7
    later_s = bench.time.seconds + 10 * SILENCE_LIMIT_S
    await running.until(lambda: bench.time.seconds > later_s)
    assert running.publisher.snapshot().failures == 0, "without packets a server has nothing to report"

    bench.readers = 1
    await running.until_state(PublishState.PUBLISHING)
    assert session.running
    assert session.resumed == 2
    assert running.publisher.snapshot().readers == 1


async def test_a_server_that_does_not_tell_who_reads_gets_the_stream(bench: Bench, run: type[Running]) -> None:
    running = run(bench.publisher(counting=True))
    await running.until_state(PublishState.PUBLISHING)
    later_s = bench.time.seconds + 5 * PAUSE_AFTER_S
    await running.until(lambda: bench.time.seconds > later_s)

    assert bench.sessions.made[0].running


async def test_who_reads_is_asked_of_the_servers_api() -> None:
    async with fake_whip() as server, aiohttp.ClientSession() as http:
        url = URL(f"{server.url}/readers")
        server.readers = {"readers": [{"type": "webRTCSession"}, {"type": "hlsMuxer"}]}
        assert await count_readers(http, url, {}) == 2
        server.readers = None
        assert await count_readers(http, url, {}) is None
    async with aiohttp.ClientSession() as http:
        assert await count_readers(http, url, {}) is None


@pytest.mark.parametrize(
    ("document", "readers"),
    [
        ({"producers": [{}], "consumers": None}, 0),
        ({"consumers": [{}, {}]}, 2),
        ({"name": "x", "readers": []}, 0),
        ({"name": "x"}, None),
        ({"readers": "many"}, None),
        ([], None),
    ],
)
def test_two_servers_list_their_readers_in_their_own_ways(document: object, readers: int | None) -> None:
    assert readers_in(document) == readers


def test_silence_counts_only_after_a_report() -> None:
    watch = SilenceWatch(10.0, now_s=0.0)

    assert not watch.lasts(0, 100.0, paused=False)
    assert not watch.lasts(1, 101.0, paused=False)
    assert not watch.lasts(1, 111.0, paused=False)
    assert watch.lasts(1, 111.5, paused=False)


def test_the_wait_has_jitter_and_starts_anew_after_a_good_connection() -> None:
    back_off = BackOff()
    waits = [back_off.delay_s() for _ in range(50)]
    assert all(wait <= LONGEST_S for wait in waits)
    assert len(set(waits[5:])) > 40, "a fleet must not come back in step"

    back_off.reset()
    assert back_off.delay_s() <= FIRST_S


def settings(values: dict[str, object] | None = None) -> WebRtcSettings:
    return WebRtcSettings.from_values(values or {})


def test_targets_are_streams_with_addresses() -> None:
    urls = ["processed:=https://live.example.net/whip", "raw:=http://10.0.0.2:8889/raw/whip"]
    readers = ["raw:=http://10.0.0.2:9997/v3/paths/get/raw"]

    first, second = load_targets(settings({"publish_urls": urls, "publish_readers_urls": readers}), STREAMS)

    assert (first.stream, first.endpoint, first.readers) == ("processed", URL(urls[0].split(":=")[1]), None)
    assert str(second.readers) == "http://10.0.0.2:9997/v3/paths/get/raw"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"publish_urls": ["https://a/whip"]}, "must be name:=https"),
        ({"publish_urls": ["front:=https://a/whip"]}, "there is no such stream; there are: processed, raw"),
        ({"publish_urls": ["raw:=ftp://a/whip"]}, "begins with http:// or https://"),
        ({"publish_urls": ["raw:=https://"]}, "begins with http"),
        ({"publish_urls": ["raw:=https://a:99999/whip"]}, "no usable address"),
        ({"publish_readers_urls": ["raw:=https://a/x"]}, "that publish_urls does not name"),
    ],
)
def test_what_is_no_target_is_refused_by_name(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint):
        load_targets(settings(values), STREAMS)


def test_an_address_with_a_key_is_not_repeated_in_the_complaint() -> None:
    with pytest.raises(SettingError) as caught:
        load_targets(settings({"publish_urls": ["raw=https://a/secret-key"]}), STREAMS)

    assert "secret-key" not in str(caught.value)


def test_the_file_of_tokens_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("for-all-streams\n")
    tokens = PublishTokens(settings({"publish_token_file": str(file)}))
    assert tokens.of("raw") == "for-all-streams"

    file.write_text("raw:=for-raw\nprocessed:=for-processed\n")
    assert (tokens.of("raw"), tokens.of("processed"), tokens.of("third")) == ("for-raw", "for-processed", "")


def test_a_file_of_tokens_must_be_there_and_alone(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(SettingError, match="cannot be read"):
        PublishTokens(settings({"publish_token_file": missing}))
    with pytest.raises(SettingError, match="use one of the two"):
        PublishTokens(settings({"publish_token_file": missing, "publish_token": "token"}))


def test_turn_servers_need_credentials_and_stun_servers_none() -> None:
    with pytest.raises(SettingError, match="turn_username"):
        load_ice_servers(settings({"publish_ice_servers": ["turn:a:3478"]}))
    with pytest.raises(SettingError, match="must be stun:"):
        load_ice_servers(settings({"publish_ice_servers": ["https://a"]}))

    uris = ["stun:a", "turns:a:443?transport=tcp"]
    servers = settings({"publish_ice_servers": uris, "turn_username": "u", "turn_password": "p"})
    assert load_ice_servers(servers) == (IceServer("stun:a"), IceServer("turns:a:443?transport=tcp", "u", "p"))


async def test_all_targets_are_published_at_once_and_a_token_in_clear_is_warned_of(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    urls = [f"{name}:={bench.server.endpoint}" for name in STREAMS]
    with caplog.at_level(logging.WARNING):
        async with Publishers(
            bench.sessions, settings({"publish_urls": urls, "publish_token": "token-1"})
        ) as publishers:
            await until(lambda: all(one.state is PublishState.PUBLISHING for one in publishers.snapshot()))

    assert {one.stream for one in publishers.snapshot()} == set(STREAMS)
    assert {request.authorization for request in bench.server.requests} == {"Bearer token-1"}
    assert len(bench.server.paths("DELETE")) == 2
    assert sum("in clear" in line for line in caplog.messages) == 2


class BrokenSessions(FakeSessions):
    async def publish(
        self, stream_name: str, address: str = "", ice_servers: Sequence[IceServer] = ()
    ) -> FakeSession:  # as PublishingSessions has it
        raise ZeroDivisionError(f"{stream_name} {address} {len(ice_servers)}")


async def test_a_publisher_that_a_defect_ended_says_so(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    urls = [f"processed:={bench.server.endpoint}"]
    async with Publishers(BrokenSessions(), settings({"publish_urls": urls})) as publishers:
        await until(lambda: publishers.snapshot()[0].state is PublishState.ENDED)

    assert "ZeroDivisionError" in publishers.snapshot()[0].error
    assert "A publisher ended by an unexpected error" in caplog.messages


async def test_with_nothing_to_publish_there_is_nothing() -> None:
    async with Publishers(FakeSessions(), settings()) as publishers:
        assert publishers.snapshot() == ()

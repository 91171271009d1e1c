"""The capture process' side of the protocol, and what it makes of those who do not keep to it."""

import json
import logging
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from picam_webrtc.camera.capture_service import ENGINE, CaptureService
from picam_webrtc.camera.control_set import Plan
from picam_webrtc.camera.hang_guard import HangGuard
from picam_webrtc.camera.protocol import PROTOCOL, Link, LinkEnded, Message, close_all
from picam_webrtc.errors import CameraError
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary, FakePicamera2
from picam_webrtc_test.camera.fakes import TIMEOUT_S

SETTINGS = {"source": "picamera2", "width": 64, "height": 64}
MAKE = {"settings": SETTINGS, "level": logging.WARNING}
OPEN: dict[str, Any] = {"controls": None, "known": {}}


@pytest.fixture(autouse=True)
def _level_of_this_process() -> Iterator[None]:
    """The service takes the level that camera_node logs at; here it runs beside other tests."""
    level = ENGINE.level
    yield
    ENGINE.setLevel(level)


class Client:
    """camera_node's end, bare."""

    def __init__(self, *models: str, fails: bool = False) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.device = FakePicamera2()
        self.socket, self.link = ours, Link(ours)
        guard = HangGuard(lambda _: None, lambda: None)
        library = FakeLibrary(*models, device=self.device)

        def find() -> FakeLibrary:
            if fails:
                raise CameraError("Picamera2 cannot be imported")
            return library

        self._thread = threading.Thread(target=CaptureService(Link(theirs), guard, find).run)
        self._thread.start()

    def ask(self, kind: str, content: Any = None) -> Message:
        self.link.send(kind, content)
        return self.hear()

    def hear(self) -> Message:
        message = self.link.receive(TIMEOUT_S)
        while message is not None and message.kind == "alive":
            message = self.link.receive(TIMEOUT_S)
        assert message is not None
        close_all(message.memory)
        return message

    def last_words(self) -> list[Message]:
        """What comes until the end of the connection."""
        words = []
        try:
            while True:
                words.append(self.hear())
        except LinkEnded:
            return words

    def end(self) -> None:
        self.link.close()
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client("imx708", "imx219")
    yield client
    client.end()


def opened(client: Client, **settings: Any) -> Message:
    client.ask("hello")
    client.ask("make", {"settings": {**SETTINGS, **settings}, "level": logging.WARNING})
    return client.ask("open", OPEN)


def test_it_tells_its_versions_first(client: Client) -> None:
    hello = client.ask("hello", {"protocol": 99})

    assert hello.kind == "hello"
    assert hello.content["protocol"] == PROTOCOL
    assert hello.content["problem"] == ""
    assert {"version", "python"} <= set(hello.content)


def test_it_tells_why_it_has_no_picamera2() -> None:
    client = Client(fails=True)

    assert client.ask("hello").content["problem"] == "Picamera2 cannot be imported"
    client.end()


def test_the_wanted_camera_is_told_or_refused_as_the_source_does(client: Client) -> None:
    client.ask("hello")
    wrong = client.ask("make", {"settings": {**SETTINGS, "camera": "ov5647"}, "level": logging.WARNING})
    right = client.ask("make", {"settings": {**SETTINGS, "camera": "imx219"}, "level": logging.WARNING})

    assert (wrong.kind, wrong.content["parameter"], wrong.content["value"]) == ("refused", "camera", "ov5647")
    assert wrong.content["reason"].startswith("no such camera; there are: camera 0, imx708")
    assert (right.kind, right.content["text"]) == ("made", "camera 1, imx219 (/base/i2c@1/imx219) at 30 frames/s")


def test_a_parameter_that_it_does_not_know_is_told_of_and_left_out(client: Client) -> None:
    client.ask("hello")
    log = client.ask("make", {"settings": {**SETTINGS, "warp_factor": 9}, "level": logging.WARNING})

    assert log.kind == "log"
    assert log.content["text"] == "The capture process knows no warp_factor: update its copy of picam_webrtc"
    assert client.hear().kind == "made"


def test_a_frame_is_announced_with_its_slot_and_its_metadata(client: Client) -> None:
    answer = opened(client, lores_width=64, lores_height=64)
    client.device.complete(metadata={"ExposureTime": 9000})
    raw: dict[str, Any] = {"alive": None}
    while "alive" in raw:
        client.socket.setblocking(True)
        raw = json.loads(client.socket.recv(10_000))

    assert answer.content["shapes"] == [(64, 64, 3), (96, 64)]
    announced = raw["frames"]
    assert announced["slots"] == [0, 0]
    assert announced["metadata"]["dict"]["ExposureTime"] == 9000
    assert [one["dict"]["encoding"] for one in announced["rest"]["dict"]["frames"]] == ["bgr8", "nv12"]


def test_the_end_of_the_connection_closes_the_camera(client: Client) -> None:
    opened(client)
    client.end()

    assert client.device.calls[-1] == "close"


def test_a_camera_that_fails_says_so_and_is_closed(client: Client) -> None:
    opened(client)
    client.device.jobs[-1].fail(RuntimeError("no link"))
    words = client.last_words()

    assert [(word.kind, word.content["text"]) for word in words] == [
        ("fault", "camera 0, imx708 (/base/i2c@0/imx708) failed: no link")
    ]
    assert client.device.calls[-1] == "close"


def test_a_camera_that_does_not_open_is_refused(client: Client) -> None:
    client.device.errors["start"] = RuntimeError("busy")
    refused = opened(client)

    assert (refused.kind, refused.content["text"]) == (
        "refused",
        "camera 0, imx708 (/base/i2c@0/imx708) does not open: busy",
    )


NONSENSE: tuple[tuple[str, Any], ...] = (
    ("reboot", None),
    ("make", None),
    ("make", {"settings": [], "level": 20}),
    ("make", {"settings": {}, "level": "loud"}),
    ("probe", None),
    ("open", None),
    ("open", OPEN),
    ("list", None),
    ("apply", {"plan": Plan({}, {})}),
    ("apply", {"plan": {"values": {}}}),
    ("release", 5),
    ("release", [[0, 0]]),
    ("release", [[-1, 0]]),
)


@pytest.mark.parametrize(("kind", "content"), NONSENSE, ids=lambda one: str(one)[:40])
def test_a_request_that_makes_no_sense_is_one_fault_and_the_end(client: Client, kind: str, content: Any) -> None:
    client.link.send(kind, content)
    words = client.last_words()

    assert [word.kind for word in words] == ["fault"]
    assert "camera_node" in words[0].content["text"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("open", OPEN),
        ("release", [[0, 0]]),
        ("release", [[0, -1], [7, 7]]),
        ("release", [["0", 0]]),
        ("apply", {"plan": Plan({"Warp": 9}, {"Warp": 9})}),
    ],
    ids=lambda one: str(one)[:40],
)
def test_nonsense_closes_an_open_camera(client: Client, kind: str, content: Any) -> None:
    client.ask("hello")
    client.ask("make", MAKE)
    controls = client.ask("probe").content["controls"]
    client.ask("open", {"controls": controls, "known": {}})
    client.link.send(kind, content)

    assert [word.kind for word in client.last_words()] == ["fault"]
    assert client.device.calls[-1] == "close"


def test_settings_of_wrong_types_are_refused(client: Client) -> None:
    client.ask("hello")
    for name, value in (("width", "wide"), ("frame_rate", float("nan")), ("source", ["x"]), ("height", 10**30)):
        refused = client.ask("make", {"settings": {name: value}, "level": logging.WARNING})
        assert (refused.kind, refused.content["parameter"]) == ("refused", name)


def test_damaged_messages_are_one_fault_and_never_more() -> None:
    generator = random.Random(16)  # noqa: S311 - it is to be the same in every run
    whole = [
        b'{"hello":{"map":[["protocol",1]]}}',
        b'{"make":{"dict":{"settings":{"dict":{"width":64,"height":64}},"level":20}}}',
        b'{"open":{"dict":{"controls":null,"known":{"dict":{}}}}}',
        b'{"release":[[0,0]]}',
    ]
    for _ in range(60):
        client = Client("imx708")
        for message in whole:
            damaged = bytearray(message)
            for _ in range(generator.choice((0, 1, 1, 3))):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            try:
                client.socket.send(bytes(damaged))
            except OSError:  # it has had enough
                break
        client.link.end_sending()
        faults = [word for word in client.last_words() if word.kind == "fault"]
        assert len(faults) <= 1
        client.end()

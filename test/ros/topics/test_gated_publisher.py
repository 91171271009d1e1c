"""Who publishes waits for nobody: a topic has a thread of its own, which alone waits for the middleware."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from picam_webrtc.errors import ImageError
from picam_webrtc.ros.topics import gated_publisher, unlocked
from picam_webrtc.ros.topics.gated_publisher import GatedPublisher
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until

PATIENCE_S = 10.0


class Gate:
    """Messages that are made when the test says so."""

    def __init__(self) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        self.threads: list[str] = []

    def make(self) -> String:
        self.threads.append(threading.current_thread().name)
        self.reached.set()
        assert self._open.wait(PATIENCE_S)
        return String(data="slow")

    def open(self) -> None:
        self._open.set()


def threads_named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


@contextmanager
def topic(
    name: str, most_waiting: int = 8, newest_when_slow: bool = False
) -> Iterator[tuple[GatedPublisher[String], list[str], Node]]:
    """A publisher with one subscriber, and what that has got."""
    got: list[str] = []
    with running_node(name) as (runtime, node):
        publisher = GatedPublisher(node, String, "words", lambda: None, None, most_waiting, newest_when_slow)
        runtime.spin()
        depth = QoSProfile(depth=50)
        on_spin_thread(
            runtime,
            lambda: node.create_subscription(String, "words", lambda message: got.append(message.data), depth),
        )
        wait_until(lambda: publisher.demanded, "the subscriber is noticed")
        yield publisher, got, node
        on_spin_thread(runtime, publisher.close)


def test_whoever_publishes_does_not_wait_and_of_a_slow_topic_the_newest_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated_publisher, "SLOW_S", 0.0)
    gate = Gate()
    with topic("slow", newest_when_slow=True) as (publisher, got, _):
        for _ in range(gated_publisher.SLOW_TOPIC):
            publisher.publish(lambda: String(data="before"))
        wait_until(lambda: got == ["before", "before"], "messages by which the topic is slow")
        publisher.publish(gate.make)
        assert gate.reached.wait(PATIENCE_S)
        for number in range(5):
            publisher.publish(lambda number=number: String(data=str(number)))  # type: ignore[misc]
        assert publisher.dropped == 4

        gate.open()
        wait_until(lambda: len(got) == 4, "the slow message and the newest")

    assert got == ["before", "before", "slow", "4"]
    assert gate.threads == ["publish"]


def test_a_stall_of_the_machine_loses_nothing_of_a_topic_that_is_quick() -> None:
    gate = Gate()
    with topic("quick", newest_when_slow=True) as (publisher, got, _):
        publisher.publish(gate.make)
        assert gate.reached.wait(PATIENCE_S)
        for number in range(5):
            publisher.publish(lambda number=number: String(data=str(number)))  # type: ignore[misc]
        gate.open()
        wait_until(lambda: len(got) == 6, "all of them")
        assert publisher.dropped == 0


def test_messages_that_are_all_wanted_wait_in_order_and_tell_when_there_is_no_more_room() -> None:
    gate = Gate()
    with topic("patient", most_waiting=3) as (publisher, got, _):
        publisher.publish(gate.make)
        assert gate.reached.wait(PATIENCE_S)
        assert not publisher.is_full
        for number in range(3):
            publisher.publish(lambda number=number: String(data=str(number)))  # type: ignore[misc]
        assert publisher.is_full
        assert publisher.dropped == 0

        gate.open()
        wait_until(lambda: len(got) == 4, "all of them")

    assert got == ["slow", "0", "1", "2"]


def test_a_slow_topic_does_not_hold_up_another() -> None:
    gate = Gate()
    with topic("one") as (slow, _, node):
        others: list[str] = []
        node.create_subscription(String, "others", lambda message: others.append(message.data), 10)
        other = GatedPublisher(node, String, "others", lambda: None)
        wait_until(lambda: other.demanded, "the subscriber is noticed")
        slow.publish(gate.make)
        assert gate.reached.wait(PATIENCE_S)

        other.publish(lambda: String(data="quick"))
        wait_until(lambda: others == ["quick"], "the other topic's message")
        gate.open()
        other.close()


def test_what_was_handed_over_is_published_before_the_end_and_the_thread_is_gone_then() -> None:
    before = len(threads_named("publish"))
    with topic("last_words", most_waiting=50) as (publisher, got, _):
        for number in range(20):
            publisher.publish(lambda number=number: String(data=str(number)))  # type: ignore[misc]
        publisher.finish()
        publisher.publish(lambda: String(data="too late"))
        wait_until(lambda: len(threads_named("publish")) == before, "the thread's end")
        wait_until(lambda: len(got) == 20, "all messages")

    assert got == [str(number) for number in range(20)]


def test_what_still_waits_when_the_middleware_does_not_let_go_is_dropped_and_the_thread_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gated_publisher, "END_TIMEOUT_S", 0.0)
    before = len(threads_named("publish"))
    gate = Gate()
    made: list[str] = []

    def late() -> String:
        made.append("late")
        return String(data="late")

    with topic("stuck") as (publisher, _, _):
        publisher.publish(gate.make)
        publisher.publish(late)
        assert gate.reached.wait(PATIENCE_S)
    gate.open()
    wait_until(lambda: len(threads_named("publish")) == before, "the thread's end")

    assert not made
    said = capfd.readouterr().err
    assert "/words: the middleware does not let go" in said
    assert "Not published" not in said


def test_a_topic_that_nobody_has_subscribed_to_yet_has_no_thread() -> None:
    before = len(threads_named("publish"))
    with running_node("alone") as (runtime, node):
        publisher = GatedPublisher(node, String, "words", lambda: None)
        runtime.spin()
        publisher.publish(lambda: String(data="unheard"))

        assert len(threads_named("publish")) == before
        on_spin_thread(runtime, publisher.close)


def test_what_cannot_be_published_is_said_once_and_the_next_message_arrives(capfd: pytest.CaptureFixture[str]) -> None:
    def refuse() -> String:
        raise ImageError("it is no picture")

    def break_down() -> String:
        raise ValueError("a defect")

    with topic("wary", most_waiting=10) as (publisher, got, _):
        for make in (refuse, refuse, break_down, break_down, lambda: String(data="well")):
            publisher.publish(make)
        wait_until(lambda: got == ["well"], "the good message")

    said = capfd.readouterr().err
    assert len(re.findall("Not published on /words: it is no picture", said)) == 1
    assert len(re.findall("ValueError: a defect", said)) == 1


def test_where_rcl_has_another_name_rclpy_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlocked, "RCL", None)
    with topic("renamed") as (publisher, got, _):
        publisher.publish(lambda: String(data="by rclpy"))
        wait_until(lambda: got == ["by rclpy"], "the message")


class RefusingRcl:
    """rcl that cannot publish; RCL_RET_ERROR is 1 in rcl/types.h."""

    said: bytes = b"cannot publish data, at rmw_publish.cpp:62"

    def rcl_publish_serialized_message(self, *_: object) -> int:
        return 1

    def rcutils_get_error_string(self) -> unlocked.ErrorString:
        return unlocked.ErrorString(self.said)

    def rcutils_reset_error(self) -> None:
        self.said = b""


def test_a_failure_names_the_topic_and_what_rcl_said_and_is_over_then(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = RefusingRcl()
    monkeypatch.setattr(unlocked, "RCL", refusing)
    with running_node("refused") as (_, node):
        publisher = node.create_publisher(String, "words", 10)

        with pytest.raises(RuntimeError, match=r"^/words: cannot publish data"):
            unlocked.publish_unlocked(publisher, String(data="in vain"))

    assert not refusing.said

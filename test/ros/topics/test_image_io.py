"""Image topics: demand, reliability, and frames that change hands inside one process."""

import re

import numpy as np
import pytest
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from picam_webrtc.frame import Frame
from picam_webrtc.ros.node.on_demand import OnDemand
from picam_webrtc.ros.topics.image_io import ImagePublisher, ImageSubscription, LocalTopics
from picam_webrtc_test.ros.support import image_message, on_spin_thread, running_node, wait_until

FRAME = Frame(np.zeros((4, 6, 3), np.uint8), "bgr8", 1_000_000_001, "optical")


def subscribe(node: Node, taken: list[Frame]) -> ImageSubscription:
    return ImageSubscription(node, "image_raw", LocalTopics(), taken.append)


def test_a_local_subscriber_gets_the_very_same_frame() -> None:
    with running_node("same") as (_, node):
        local, taken, demand = LocalTopics(), list[Frame](), list[bool]()
        publisher = ImagePublisher(node, "image_raw", local, lambda: demand.append(publisher.demanded))
        subscription = ImageSubscription(node, "image_raw", local, taken.append)

        publisher.publish(FRAME)
        subscription.close()
        publisher.publish(FRAME)

        assert [frame is FRAME for frame in taken] == [True]
        assert demand == [True, False]


def test_a_subscriber_elsewhere_is_noticed_served_and_missed() -> None:
    with running_node("remote") as (runtime, node):
        demand, taken = list[bool](), list[Image]()
        publisher = ImagePublisher(node, "image_raw", LocalTopics(), lambda: demand.append(publisher.demanded))
        runtime.spin()

        subscription = node.create_subscription(Image, "image_raw", taken.append, 10)
        wait_until(lambda: demand == [True], "the subscriber is noticed")
        publisher.publish(FRAME)
        wait_until(lambda: taken, "the image arrives")
        on_spin_thread(runtime, lambda: node.destroy_subscription(subscription))
        wait_until(lambda: demand == [True, False], "its leaving is noticed")

        assert taken[0].header.frame_id == "optical"


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_frames_of_a_reliable_and_of_a_best_effort_publisher_arrive(reliability: ReliabilityPolicy) -> None:
    with running_node("either") as (runtime, node):
        taken, kept = list[Frame](), list[ImageSubscription]()
        publisher = node.create_publisher(Image, "image_raw", QoSProfile(depth=1, reliability=reliability))
        runtime.spin()
        on_spin_thread(runtime, lambda: kept.append(subscribe(node, taken)))

        def arrives() -> bool:
            publisher.publish(image_message(FRAME))
            return bool(taken)

        wait_until(arrives, "a frame arrives")


def test_a_best_effort_publisher_is_asked_for_no_more_and_the_next_one_for_all_it_can_do() -> None:
    refused: list[object] = []
    events = PublisherEventCallbacks(incompatible_qos=refused.append)
    with running_node("asking") as (runtime, node):
        taken = list[Frame]()
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        first = node.create_publisher(Image, "image_raw", best_effort, event_callbacks=events)
        runtime.spin()
        wait_until(lambda: node.get_publishers_info_by_topic("/image_raw"), "the publisher is known")
        kept = list[ImageSubscription]()
        on_spin_thread(runtime, lambda: kept.append(subscribe(node, taken)))

        def arrives() -> bool:
            first.publish(image_message(FRAME))
            return bool(taken)

        wait_until(arrives, "a frame arrives")
        assert not refused
        on_spin_thread(runtime, kept[0].close)
        on_spin_thread(runtime, lambda: node.destroy_publisher(first))
        node.create_publisher(Image, "image_raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE))
        wait_until(lambda: len(node.get_publishers_info_by_topic("/image_raw")) == 1, "only the second is known")
        on_spin_thread(runtime, lambda: kept.append(subscribe(node, taken)))
        (subscription,) = node.get_subscriptions_info_by_topic("/image_raw")

    assert subscription.qos_profile.reliability is ReliabilityPolicy.RELIABLE


def test_a_best_effort_override_holds_whatever_is_offered() -> None:
    override = ("-p", "qos_overrides./image_raw.subscription.reliability:=best_effort")
    with running_node("overridden", *override) as (runtime, node):
        node.create_publisher(Image, "image_raw", QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE))
        runtime.spin()
        kept = list[ImageSubscription]()
        on_spin_thread(runtime, lambda: kept.append(subscribe(node, [])))
        (subscription,) = node.get_subscriptions_info_by_topic("/image_raw")

    assert subscription.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT


def test_a_broken_image_is_reported_once_and_the_next_good_one_arrives(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def complaints() -> int:
        said.append(capfd.readouterr().err)
        return len(re.findall(r"\[broken\]: image_raw: .*bgr10", "".join(said)))

    with running_node("broken") as (runtime, node):
        taken, kept = list[Frame](), list[ImageSubscription]()
        publisher = node.create_publisher(Image, "image_raw", 10)
        runtime.spin()
        on_spin_thread(runtime, lambda: kept.append(subscribe(node, taken)))
        wait_until(lambda: publisher.get_subscription_count(), "the subscription is matched")
        broken = image_message(FRAME)
        broken.encoding = "bgr10"

        for _ in range(3):
            publisher.publish(broken)
        wait_until(complaints, "the complaint")
        publisher.publish(image_message(FRAME))
        wait_until(lambda: taken, "the good image arrives")

        assert complaints() == 1


class Engine:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


def test_what_nobody_wants_any_more_stops_after_its_idle_timeout() -> None:
    with running_node("idle") as (runtime, node):
        engine = Engine()
        demand = OnDemand(node, engine.start, engine.stop, lambda: 0.05)
        runtime.spin()

        on_spin_thread(runtime, lambda: demand.want(True))
        on_spin_thread(runtime, lambda: demand.want(False))
        assert engine.calls == ["start"]
        wait_until(lambda: engine.calls == ["start", "stop"], "the stop")


def test_a_new_wish_within_the_idle_timeout_keeps_it_running() -> None:
    with running_node("again") as (runtime, node):
        engine = Engine()
        demand = OnDemand(node, engine.start, engine.stop, lambda: 3600.0)
        runtime.spin()

        for wanted in (True, False, True):
            on_spin_thread(runtime, lambda wanted=wanted: demand.want(wanted))  # type: ignore[misc]
        assert engine.calls == ["start"]
        on_spin_thread(runtime, demand.close)
        assert engine.calls == ["start", "stop"]

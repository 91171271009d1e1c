"""A map that comes once in a while is watched, and nothing is said against it."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import Image

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.frame import Frame
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import image_message, running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = [pytest.mark.ros, pytest.mark.heavy]

GAP_S = 1.0
PARAMETERS: dict[str, ParameterValue] = {"streams": ("map:=/map/image",), "port": 0, "silence_warning": 0.3}
MAP = Frame(np.zeros((64, 64), np.uint8), "mono8", 0, "map")


class Health:
    """What webrtc_node says, by the part of its report."""

    def __init__(self, node: Node) -> None:
        self.said: list[tuple[str, int, str]] = []
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 10)

    def _take(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name, level = status.name.partition(": ")[2], int.from_bytes(status.level)
            self.said.append((name, level, status.message))


async def test_a_rare_topic_is_no_warning_once_its_pace_is_known_and_one_when_it_ends() -> None:
    with running_node("mapper") as (runtime, node), node_process("webrtc_node", PARAMETERS) as webrtc:
        publisher, health = node.create_publisher(Image, "/map/image", 1), Health(node)

        def publish() -> None:
            message = image_message(MAP)
            message.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(message)

        timer = node.create_timer(GAP_S, publish)
        runtime.spin()
        url = webrtc.wait_for_line(r"The page is at (http://\S+)")[1]
        async with viewer(url) as watching:
            await watching.connect_by_whep("map")
            for _ in range(3):
                await watching.next_frame()
            began = len(health.said)
            for _ in range(3):
                await watching.next_frame()
            calm = health.said[began:]
            timer.cancel()
            wait_until(lambda: said_so(health), "the warning once it comes no more")

    assert {name for name, _, _ in calm} == {"network", "streams"}
    assert [one for one in calm if one[1] != int.from_bytes(DiagnosticStatus.OK)] == []


def said_so(health: Health) -> bool:
    return any(level and "nothing has come for" in text for _, level, text in health.said)

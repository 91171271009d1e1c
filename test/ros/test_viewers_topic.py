"""How many watch, as a topic."""

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Int32

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import running_node, wait_until
from picam_webrtc_test.viewer import viewer

pytestmark = pytest.mark.ros

PARAMETERS: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0, "idle_timeout": 0.5}


async def test_the_number_of_viewers_is_latched() -> None:
    with node_process("picam_webrtc", PARAMETERS) as process, running_node("counter") as (runtime, node):
        url = process.wait_for_line(r"The page is at (http://\S+)/")[1]
        runtime.spin()
        async with viewer(url) as watching:
            await watching.connect_by_whep()
            await watching.next_frame()
            counts: list[int] = []
            latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            node.create_subscription(Int32, "viewers", lambda message: counts.append(message.data), latched)
            wait_until(lambda: counts == [1], "the count for a late subscriber")
        wait_until(lambda: counts[-1] == 0, "the count after the viewer has left")

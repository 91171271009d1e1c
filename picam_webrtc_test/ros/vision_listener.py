"""Another robot node, in a process of its own: prints every Detection2DArray and LabelInfo as a line of JSON."""

import json
from contextlib import AsyncExitStack
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from vision_msgs.msg import Detection2DArray, LabelInfo

from picam_webrtc.ros.process.runtime import Runtime, run


def print_detections(message: Detection2DArray) -> None:
    items = [
        {
            "stamp": [item.header.stamp.sec, item.header.stamp.nanosec],
            "class_id": item.results[0].hypothesis.class_id,
            "score": item.results[0].hypothesis.score,
            "center": [item.bbox.center.position.x, item.bbox.center.position.y],
            "size": [item.bbox.size_x, item.bbox.size_y],
        }
        for item in message.detections
    ]
    print_line("detections", message.header, items)


def print_labels(message: LabelInfo) -> None:
    print_line("labels", message.header, {entry.class_id: entry.class_name for entry in message.class_map})


def print_line(kind: str, header: Any, content: object) -> None:
    stamp = [header.stamp.sec, header.stamp.nanosec]
    line = {"kind": kind, "stamp": stamp, "frame_id": header.frame_id, "content": content}
    print(json.dumps(line), flush=True)


async def wire(_: AsyncExitStack, runtime: Runtime) -> None:
    node = runtime.node("vision_listener", Node)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(Detection2DArray, "detections", print_detections, 10)
    node.create_subscription(LabelInfo, "label_info", print_labels, latched)


if __name__ == "__main__":
    raise SystemExit(run(wire))

"""A remap of an image takes along what belongs to it, in every node; services stay where ROS users look for them."""

import pytest
from rclpy.node import Node
from sensor_msgs.msg import Image

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.robot import robot
from picam_webrtc_test.ros.support import running_node, wait_until

pytestmark = pytest.mark.ros

LORES = ("-p", "lores_width:=320", "-p", "lores_height:=180")
TYPES = ("Image", "CompressedImage", "CameraInfo")


def image_topics(node: Node, name: str, namespace: str = "/") -> set[str]:
    """What the node of that name publishes of pictures and of what belongs to them."""
    published = node.get_publisher_names_and_types_by_node(name, namespace)
    return {topic for topic, types in published if types[0].rpartition("/")[2] in TYPES}


def rules(*remaps: str) -> list[str]:
    return [word for remap in remaps for word in ("-r", remap)]


@pytest.mark.parametrize(
    ("remaps", "topics"),
    [
        (
            ("image_raw:=cam/image",),
            {
                *("/cam/image", "/cam/image/compressed", "/cam/camera_info", "/cam/image_rect"),
                *("/lores/image_raw", "/lores/image_raw/compressed", "/lores/camera_info", "/lores/image_rect"),
            },
        ),
        (
            ("lores/image_raw:=small/image", "camera_info:=calibration"),
            {
                *("/image_raw", "/image_raw/compressed", "/calibration", "/image_rect"),
                *("/small/image", "/small/image/compressed", "/small/camera_info", "/small/image_rect"),
            },
        ),
    ],
)
def test_camera_node_publishes_all_of_a_stream_where_its_image_goes(remaps: tuple[str, ...], topics: set[str]) -> None:
    with robot(*LORES, *rules(*remaps)) as one:
        wait_until(lambda: image_topics(one.listener, "camera_node") == topics, f"just {topics}")
        services = {name for name, _ in one.listener.get_service_names_and_types_by_node("camera_node", "/")}

    assert "/set_camera_info" in services


def test_webrtc_node_publishes_coded_topics_where_the_pictures_are() -> None:
    given: dict[str, ParameterValue] = {"port": 0, "encoded_topics": "compressed_image"}
    moved = rules("image_raw:=cam/image", "image_processed:=found", "image_processed/h264:=video")
    with node_process("webrtc_node", given, *moved), running_node("onlooker") as (_, node):
        coded = {"/cam/image/h264", "/video"}
        wait_until(
            lambda: is_there(node, "webrtc_node") and image_topics(node, "webrtc_node") == coded, f"just {coded}"
        )


def test_inference_node_takes_and_gives_pictures_where_they_are_sent() -> None:
    moved = rules("image_raw:=cam/image", "image_processed:=found", "image_overlay:=drawn/image")
    with node_process("inference_node", {"transform": "none"}, *moved), running_node("onlooker") as (_, node):
        given = {"/found", "/drawn/image"}
        wait_until(lambda: is_there(node, "inference_node") and image_topics(node, "inference_node") == given, "both")
        node.create_subscription(Image, "/found", lambda _: None, 1)
        wait_until(lambda: node.count_subscribers("/cam/image"), "the subscription")


def is_there(node: Node, name: str) -> bool:
    return name in node.get_node_names()

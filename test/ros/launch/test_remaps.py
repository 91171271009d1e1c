"""What a remap for every node means to those in a camera's namespace, told to a node outside of it.

Expected are the full names that rcl makes (its remap.c: both sides are expanded in the node's own namespace).
"""

import pytest

from picam_webrtc.ros.launch.remaps import Rule, as_seen_from_outside

NODES = ("camera_node", "inference_node")


@pytest.mark.parametrize(
    ("rule", "outside"),
    [
        (("image_raw", "cam/image"), ("/front/image_raw", "/front/cam/image")),
        (("image_raw", "/cam/image"), ("/front/image_raw", "/cam/image")),
        (("lores/image_raw", "small"), ("/front/lores/image_raw", "/front/small")),
        (("rostopic://image_raw", "image"), ("/front/image_raw", "/front/image")),
        (("camera_node:image_raw", "image"), ("/front/image_raw", "/front/image")),
        (("camera_node:image_raw", "~/image"), ("/front/image_raw", "/front/camera_node/image")),
        (("camera_node:rostopic://image_raw", "image"), ("/front/image_raw", "/front/image")),
    ],
)
def test_a_relative_name_is_one_of_the_namespace(rule: Rule, outside: Rule) -> None:
    assert list(as_seen_from_outside([rule], "/front", NODES)) == [outside]


@pytest.mark.parametrize(
    "rule",
    [
        ("/image_raw", "image"),
        ("~/image", "image"),
        ("image_raw", "~/image"),
        ("webrtc_node:image_raw", "image"),
        ("rosservice://set_camera_info", "set"),
        ("__ns", "/elsewhere"),
    ],
)
def test_what_means_the_same_outside_or_nothing_there_is_left_out(rule: Rule) -> None:
    assert list(as_seen_from_outside([rule], "/front", NODES)) == []

"""Where topics are that belong to an image, under remaps.

Expected as image_transport has it (ros-perception/image_common f6e4ab6): a form of an image is its resolved name and
the form's, camera_info replaces the last part of the resolved name (camera_common.cpp, publisher.cpp).
"""

import pytest

from picam_webrtc.ros.topics.siblings import beside, followed, topic_name
from picam_webrtc_test.ros.support import running_node

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("remaps", "name", "full"),
    [
        ((), "camera_info", "/camera_info"),
        ((), "/front/image_raw/h264", "/front/image_raw/h264"),
        (("image_raw:=cam/image",), "image_raw", "/cam/image"),
        (("image_raw:=cam/image",), "image_raw/compressed", "/cam/image/compressed"),
        (("image_raw:=cam/image",), "image_raw/h264", "/cam/image/h264"),
        (("image_raw:=cam/image",), "image_raw/ffmpeg", "/cam/image/ffmpeg"),
        (("image_raw:=cam/image",), "image_raw/compressed/h264", "/cam/image/compressed/h264"),
        (("image_raw:=cam/image",), "camera_info", "/cam/camera_info"),
        (("image_raw:=cam/image",), "/camera_info", "/cam/camera_info"),
        (("image_raw:=cam/image",), "image_rect", "/cam/image_rect"),
        (("image_raw:=image",), "camera_info", "/camera_info"),
        (("image_raw:=cam/image",), "lores/camera_info", "/lores/camera_info"),
        (("lores/image_raw:=small/image",), "lores/camera_info", "/small/camera_info"),
        (("image_processed:=found",), "image_processed/h264", "/found/h264"),
        (("image_overlay:=found",), "image_overlay/h264", "/found/h264"),
        (("/front/image_raw:=/front/cam/image",), "/front/camera_info", "/front/cam/camera_info"),
        (("__ns:=/robot", "image_raw:=cam/image"), "camera_info", "/robot/cam/camera_info"),
        (("image_raw:=cam/image", "camera_info:=calibration"), "camera_info", "/calibration"),
        (("image_raw:=cam/image", "image_raw/h264:=video"), "image_raw/h264", "/video"),
        (("image_raw:=cam/image", "cam/image/compressed:=jpeg"), "image_raw/compressed", "/jpeg"),
        (("image_raw:=cam/image", "cam/camera_info:=camera_info"), "camera_info", "/camera_info"),
        (("image_raw:=cam/image", "image_rect:=flat"), "image_rect/compressed", "/flat/compressed"),
        (("image_raw:=image_rect", "image_rect:=image_raw"), "image_rect", "/image_raw"),
        (("image_raw:=cam/image",), "detections", "/detections"),
        (("image_raw:=cam/image",), "/compressed", "/compressed"),
    ],
)
def test_a_sibling_goes_with_its_image_unless_it_has_a_remap_of_its_own(
    remaps: tuple[str, ...], name: str, full: str
) -> None:
    with running_node("named", *(word for remap in remaps for word in ("-r", remap))) as (_, node):
        assert node.resolve_topic_name(topic_name(node, name)) == full


def test_a_topic_beside_any_image_goes_with_that() -> None:
    with running_node("named", "-r", "map:=planner/map") as (_, node):
        assert followed(node, "camera_info", "map") == "/planner/camera_info"


@pytest.mark.parametrize(
    ("image", "info"),
    [
        ("/camera/image", "/camera/camera_info"),
        ("/image", "/camera_info"),
        ("/test/camera/image", "/test/camera/camera_info"),
    ],
)
def test_beside_is_what_image_transport_says(image: str, info: str) -> None:
    assert beside(image, "camera_info") == info

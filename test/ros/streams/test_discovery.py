"""Which topics are found worth serving."""

import pytest

from picam_webrtc.ros.streams.discovery import picture_topics, stream_name

IMAGE, COMPRESSED = ["sensor_msgs/msg/Image"], ["sensor_msgs/msg/CompressedImage"]


@pytest.mark.parametrize(
    ("topics", "found"),
    [
        ({"/a": IMAGE, "/tf": ["tf2_msgs/msg/TFMessage"]}, ["/a"]),
        ({"/b": IMAGE, "/a": COMPRESSED}, ["/a", "/b"]),
        ({"/a": IMAGE, "/a/compressed": COMPRESSED, "/a/h264": COMPRESSED}, ["/a"]),
        ({"/a/compressed": COMPRESSED, "/a/h264": COMPRESSED}, ["/a/compressed"]),
        ({"/a/h264": COMPRESSED}, ["/a/h264"]),
        ({"/a/compressedDepth": COMPRESSED, "/a/theora": COMPRESSED}, []),
    ],
)
def test_each_picture_is_found_in_one_form(topics: dict[str, list[str]], found: list[str]) -> None:
    assert picture_topics(topics) == found


def test_what_is_served_already_is_not_found_again_in_any_form() -> None:
    topics = {"/a": IMAGE, "/a/h264": COMPRESSED, "/b": IMAGE}

    assert picture_topics(topics, served=["/a"]) == ["/b"]
    assert picture_topics({"/a/h264": COMPRESSED}, served=["/a"]) == []


def test_a_stream_is_named_after_its_topic() -> None:
    assert stream_name("/front/image_raw", taken=()) == "front_image_raw"
    assert stream_name("/front/image_raw", taken=["front_image_raw"]) == "front_image_raw_2"

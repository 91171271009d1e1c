"""Coded pictures as messages of each kind."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from sensor_msgs.msg import CompressedImage

from picam_webrtc.errors import SettingError
from picam_webrtc.ros.topics.video_messages import video_messages
from picam_webrtc.streaming.encode.rendition import FULL, Codec, EncodedFrame, RenditionKey

CODED = EncodedFrame(
    key=RenditionKey(Codec.H264, FULL), data=b"\0\0\0\1\x65", keyframe=True, timestamp=3000, stamp_ns=1, received_ns=2,
    encoded_ns=3, width=1280, height=720, frame_id="optical",
)  # fmt: skip
STAMP_NS = 1_500_000_000


def test_a_compressed_image_names_its_format_and_carries_the_stream_as_it_is() -> None:
    messages = video_messages("compressed_image")

    message = messages.make(CODED, STAMP_NS, "optical")

    assert isinstance(message, CompressedImage)
    assert (message.format, bytes(message.data), message.header.frame_id) == ("h264", CODED.data, "optical")
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)


@pytest.mark.parametrize(
    ("kind", "package", "name", "suffix"),
    [
        ("compressed_video", "foxglove_msgs", "CompressedVideo", "h264"),
        ("ffmpeg_packet", "ffmpeg_image_transport_msgs", "FFMPEGPacket", "ffmpeg"),
    ],
)
def test_other_packages_types_are_used_where_they_are_installed(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str, name: str, suffix: str
) -> None:
    with pytest.raises(SettingError, match=f"package {package} is not installed"):
        video_messages(kind)
    module = ModuleType(f"{package}.msg")
    setattr(module, name, SimpleNamespace)
    monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setitem(sys.modules, f"{package}.msg", module)

    messages = video_messages(kind)
    message = messages.make(CODED, STAMP_NS, "optical")

    assert messages.suffix == suffix
    assert bytes(message.data) == CODED.data
    assert "h264" in (getattr(message, "format", ""), getattr(message, "encoding", "").split(";")[0])


def test_a_packet_for_ffmpeg_knows_its_size_and_whether_it_is_a_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ffmpeg_image_transport_msgs.msg")
    module.FFMPEGPacket = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ffmpeg_image_transport_msgs", ModuleType("ffmpeg_image_transport_msgs"))
    monkeypatch.setitem(sys.modules, "ffmpeg_image_transport_msgs.msg", module)

    message = video_messages("ffmpeg_packet").make(CODED, STAMP_NS, "optical")

    assert (message.width, message.height, message.pts, message.flags) == (1280, 720, 3000, 1)

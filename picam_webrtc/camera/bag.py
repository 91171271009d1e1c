"""A rosbag2 recording as a camera: raw, compressed and coded pictures played back at the pace they were recorded."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from picam_webrtc.camera.clock import NS_PER_S, Clock
from picam_webrtc.camera.compressed import Decompressor
from picam_webrtc.camera.player import Picture, Player
from picam_webrtc.errors import CameraError, ImageError, SettingError
from picam_webrtc.frame import Pixels, view_rows
from picam_webrtc.settings import CameraSettings

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection

IMAGE = "sensor_msgs/msg/Image"
PICTURE_TYPES = (
    IMAGE,
    "sensor_msgs/msg/CompressedImage",
    "foxglove_msgs/msg/CompressedVideo",
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket",
)
"""The types that can be played, the preferred ones first."""
PAUSE_S = 1 / 30
"""Between the recording's last picture and its first one again."""


class BagSource(Player):
    """Plays one topic of `settings.bag` in a loop; every frame is stamped with the time at which it is shown."""

    def __init__(self, settings: CameraSettings, clock: Clock | None = None) -> None:
        """Raises SettingError where there is no such recording, or no picture in it."""
        self._path = Path(settings.bag)
        if not settings.bag:
            raise SettingError("bag", settings.bag, "source bag needs one, e.g. bag:=/path/to/recording")
        try:
            with opened(self._path) as reader:
                self._topic = chosen_topic(reader, settings.bag_topic)
        except CameraError as error:
            raise SettingError("bag", settings.bag, str(error)) from error
        super().__init__(f"recording {self._path}", settings.frame_id, clock, settings.orientation)

    def __str__(self) -> str:
        return f"recording {self._path}, topic {self._topic}"

    def _play(self) -> Generator[Picture, None, None]:
        offset_s = 0.0
        while True:
            first_ns, position_s = None, 0.0
            for recorded_ns, pixels, encoding in pictures_of(self._path, self._topic):
                first_ns = recorded_ns if first_ns is None else first_ns
                position_s = (recorded_ns - first_ns) / NS_PER_S
                yield offset_s + position_s, pixels, encoding
            offset_s += position_s + PAUSE_S


@contextmanager
def opened(path: Path) -> Iterator["AnyReader"]:
    """The recording in the folder `path`. Raises CameraError."""
    try:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise CameraError("playing recordings needs rosbags: pip install rosbags") from error
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            yield reader
    except (AnyReaderError, OSError) as error:
        raise CameraError(f"{path} is no rosbag2 recording that can be read: {error}") from error


def chosen_topic(reader: "AnyReader", wanted: str) -> str:
    """The topic to play. Raises SettingError where there is none of that name, or none with pictures."""
    topics: dict[str, str] = {one.topic: one.msgtype for one in reader.connections if one.msgtype in PICTURE_TYPES}
    if wanted in topics:
        return wanted
    if wanted or not topics:
        there = ", ".join(sorted(topics)) or "none"
        raise SettingError("bag_topic", wanted, f"the recording's topics with pictures are: {there}")
    return min(topics, key=lambda topic: PICTURE_TYPES.index(topics[topic]))


def pictures_of(path: Path, topic: str) -> Iterator[tuple[int, Pixels, str]]:
    """Time of recording [ns], pixels and encoding of every picture that can be decoded.

    Raises CameraError where there is not a single one.
    """
    decoder, complaint, count = MessageDecoder(), "there are no messages", 0
    with opened(path) as reader:
        connections = [one for one in reader.connections if one.topic == topic]
        for connection, recorded_ns, data in reader.messages(connections):
            try:
                picture = decoder.decode(reader.deserialize(data, connection.msgtype), connection)
            except ImageError as error:
                complaint = str(error)  # coded video, say, before its first key frame
                continue
            if picture is not None:
                count += 1
                yield recorded_ns, *picture
    if not count:
        raise CameraError(f"no picture of topic {topic} in {path} can be shown: {complaint}")


class MessageDecoder:
    """Pictures out of the messages of one topic, in their order."""

    def __init__(self) -> None:
        self._decompressor = Decompressor()

    def decode(self, message: Any, connection: "Connection") -> tuple[Pixels, str] | None:
        """Pixels and encoding; None where a video decoder has no picture yet. Raises ImageError."""
        if connection.msgtype == IMAGE:
            data = np.asarray(message.data, np.uint8)
            return view_rows(data, message.width, message.height, message.step, message.encoding), message.encoding
        message_format = message.encoding if hasattr(message, "encoding") else message.format
        pixels = self._decompressor.decode(memoryview(message.data), message_format)
        if pixels is None:
            return None
        return pixels, "mono8" if pixels.ndim == 2 else "bgr8"

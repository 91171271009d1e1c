"""A rosbag2 recording (MCAP) where rosbag2 itself is not installed."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from picam_webrtc.errors import PicamWebrtcError

if TYPE_CHECKING:
    from rosbags.interfaces import Qos

BAG_VERSION = 9
"""rosbag2's since Iron."""


class BagWriter:
    """A folder with metadata.yaml and one .mcap file. Messages are written as they came, serialized."""

    def __init__(self, path: Path) -> None:
        """Raises PicamWebrtcError where rosbags is not installed, or the folder exists."""
        try:
            from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            remedy = "install rosbag2 (ros2 bag) with its MCAP storage, or: pip install rosbags"
            raise PicamWebrtcError(f"recording needs one of two things; {remedy}") from error
        try:
            self._writer = Writer(path, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
        except WriterError as error:
            raise PicamWebrtcError(f"no recording: {str(error).rstrip('.')}; name a new folder") from error
        self._types = get_typestore(Stores.LATEST)
        self.counts: dict[str, int] = {}

    def open(self) -> None:
        """Raises PicamWebrtcError where the folder exists or cannot be made."""
        from rosbags.rosbag2 import WriterError

        try:
            self._writer.open()
        except (WriterError, OSError) as error:
            raise PicamWebrtcError(f"no recording: {error}") from error

    def add(self, topic: str, type_name: str, qos: QoSProfile) -> Callable[[int, bytes], None]:
        """A function that writes one message of `topic`: time [ns] and CDR bytes. Raises PicamWebrtcError."""
        self._learn(type_name)
        connection = self._writer.add_connection(
            topic, type_name, typestore=self._types, offered_qos_profiles=[offered_qos(qos)]
        )
        self.counts[topic] = 0

        def write(stamp_ns: int, data: bytes) -> None:
            self._writer.write(connection, stamp_ns, data)
            self.counts[topic] += 1

        return write

    def close(self) -> None:
        self._writer.close()

    def _learn(self, type_name: str) -> None:
        """Register a type that rosbags does not know with all that it is made of, from the packages' .msg files."""
        if type_name in self._types.fielddefs:
            return
        from rosbags.typesys import get_types_from_msg

        definitions = get_types_from_msg(definition_text(type_name), type_name)
        known = self._types.fielddefs
        self._types.register({name: fields for name, fields in definitions.items() if name not in known})
        for name in nested_types(definitions[type_name]):
            self._learn(name)


def message_class(type_name: str) -> type[Any]:
    """Raises PicamWebrtcError where the package of the type is not installed."""
    package, _, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise PicamWebrtcError(f"type {type_name} is not installed here") from error


def definition_text(type_name: str) -> str:
    """The .msg file of a type. Raises PicamWebrtcError."""
    package, _, name = type_name.split("/")
    try:
        return (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text()
    except (PackageNotFoundError, OSError) as error:
        raise PicamWebrtcError(f"there is no definition of type {type_name} here: {error}") from error


def nested_types(definition: Any) -> Iterator[str]:
    """Names of the message types among a definition's fields, as rosbags describes them."""
    _, fields = definition
    for _, (_, detail) in fields:
        if isinstance(detail, tuple) and isinstance(detail[0], tuple):  # an array or a sequence of something
            _, detail = detail[0]
        if isinstance(detail, str):
            yield detail


def offered_qos(profile: QoSProfile) -> "Qos":
    """As rosbag2 stores it, so that `ros2 bag play` publishes as the recorded publisher did."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    forever = QosTime(2147483647, 4294967295)
    reliable = profile.reliability is ReliabilityPolicy.RELIABLE
    latched = profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=profile.depth,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )

"""record: topics into a rosbag2 recording, by rosbag2 itself where it is installed, else by rosbags."""

import os
import shutil
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.node import Node

from picam_webrtc.ros.process.command_line import own_arguments
from picam_webrtc.ros.process.names import fault_of_topic
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.recording.bag_writer import BagWriter
from picam_webrtc.ros.recording.recorded_topics import recorded_topics
from picam_webrtc.ros.recording.recorder import Recorder
from picam_webrtc.ros.topics.siblings import topic_name


async def wire(output: Path, topics: Sequence[str], stack: AsyncExitStack, runtime: Runtime) -> None:
    node = runtime.node("record", Node)
    writer = BagWriter(output)
    writer.open()
    stack.callback(_report, writer, output)
    stack.callback(writer.close)
    stack.callback(Recorder(node, writer, topics).close)
    node.get_logger().info(f"Recording to {output}")


def _report(writer: BagWriter, output: Path) -> None:
    for topic, count in sorted(writer.counts.items()):
        print(f"{count:8} {topic}")
    print(f"{sum(writer.counts.values()):8} messages in {output}", flush=True)


def has_rosbag2() -> bool:
    """Whether `ros2 bag record` can write MCAP here."""
    try:
        for package in ("ros2bag", "rosbag2_storage_mcap"):
            get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return shutil.which("ros2") is not None


def parsed(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser("record", description=__doc__)
    parser.add_argument("topics", nargs="*", help="topics to record; none is the useful set of one camera")
    parser.add_argument("--all", action="store_true", help="record every topic there is")
    parser.add_argument("--output", "-o", default="", metavar="FOLDER", help="a new folder for the recording")
    parser.add_argument("--without-rosbag2", action="store_true", help="write by rosbags even where rosbag2 is there")
    options = parser.parse_args(arguments)
    options.output = options.output or time.strftime("picam_webrtc_%Y-%m-%d_%H-%M-%S")
    options.topics = [] if options.all else options.topics or list(recorded_topics([""]))
    for topic in options.topics:
        if fault := fault_of_topic(topic):
            parser.error(f"argument topics: {topic!r}: {fault}")
    return options


def rosbag2_command(output: str, topics: Sequence[str]) -> list[str]:
    """`topics` empty is every topic. Lyrical takes topics after `--topics` only, which Jazzy and Kilted know too."""
    wanted = ["--topics", *topics] if topics else ["--all"]
    return ["ros2", "bag", "record", "--storage", "mcap", "--output", output, *wanted]


def full_names(topics: Sequence[str]) -> list[str]:
    """As this process's ROS arguments make them, which rosbag2's command takes none of."""
    with Runtime(sys.argv) as runtime:
        node = runtime.node("record", Node)
        return [node.resolve_topic_name(topic_name(node, topic)) for topic in topics]


def main() -> int:
    options = parsed(own_arguments(sys.argv)[1:])
    if has_rosbag2() and not options.without_rosbag2:
        command = rosbag2_command(options.output, full_names(options.topics))
        os.execvp(command[0], command)  # noqa: S606 - becomes rosbag2, which gets the signals meant for this process
    return run(partial(wire, Path(options.output), options.topics))

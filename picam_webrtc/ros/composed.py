"""All nodes in one process: an image goes from the camera to the encoder as the same array."""

from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from picam_webrtc.ros import camera_node, inference_node, webrtc_node
from picam_webrtc.ros.process.command_line import parsed
from picam_webrtc.ros.process.runtime import Runtime, run
from picam_webrtc.ros.topics.image_io import LocalTopics


async def wire(cameras: Sequence[str], stack: AsyncExitStack, runtime: Runtime) -> None:
    """A camera_node and an inference_node in each of the namespaces `cameras`, and one webrtc_node.

    A camera's namespace is a full name, or empty for that of the process.
    """
    local = LocalTopics()
    for namespace in cameras:
        runtime.namespace = f"/{namespace.strip('/')}" if namespace else ""
        await camera_node.wire(stack, runtime, local)
        await inference_node.wire(stack, runtime, local)
    runtime.namespace = ""
    await webrtc_node.wire(stack, runtime, local)


def main() -> int:
    parser = ArgumentParser("picam_webrtc", description=__doc__)
    parser.add_argument(
        "--cameras", nargs="+", default=[""], metavar="NAMESPACE", help="a camera in each of them, by full name"
    )
    arguments = parsed(parser)
    return run(partial(wire, arguments.cameras))

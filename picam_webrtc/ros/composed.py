"""All three nodes in one process: an image goes from the camera to the encoder as the same array."""

from contextlib import AsyncExitStack

from picam_webrtc.ros import camera_node, inference_node, webrtc_node
from picam_webrtc.ros.image_io import LocalTopics
from picam_webrtc.ros.runtime import Runtime, run


async def wire(stack: AsyncExitStack, runtime: Runtime) -> None:
    local = LocalTopics()
    await camera_node.wire(stack, runtime, local)
    await inference_node.wire(stack, runtime, local)
    await webrtc_node.wire(stack, runtime, local)


def main() -> int:
    return run(wire)

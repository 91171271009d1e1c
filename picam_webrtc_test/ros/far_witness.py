"""Watches one stream of a server and /diagnostics, and tells.

python -m picam_webrtc_test.ros.far_witness URL STREAM SECONDS

The seconds run from the first frame on, or from the tenth second if there is none. Prints one JSON object.
"""

import asyncio
import json
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from picam_webrtc.ros.process.runtime import Runtime
from picam_webrtc_test.viewer import viewer

PATIENCE_S = 10.0


async def frame_rate(url: str, stream: str, seconds: float) -> float:
    async with viewer(url) as one:
        await one.connect_by_whep(stream)
        frames, started = 0, time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S) as deadline:
                await one.next_frame()
                started = time.monotonic()
                deadline.reschedule(asyncio.get_running_loop().time() + seconds)
                while True:
                    await one.next_frame()
                    frames += 1
        except (TimeoutError, AssertionError):
            return frames / (time.monotonic() - started)


def main() -> None:
    url, stream, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    messages: dict[str, None] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if "webrtc" in status.name:
                messages[status.message] = None

    with Runtime([]) as runtime:
        runtime.node("witness", Node).create_subscription(DiagnosticArray, "/diagnostics", take, 10)
        runtime.spin()
        rate = asyncio.run(frame_rate(url, stream, seconds))
        runtime.stop_spinning()
    print(json.dumps({"frame_rate": rate, "messages": list(messages)}))


if __name__ == "__main__":
    main()

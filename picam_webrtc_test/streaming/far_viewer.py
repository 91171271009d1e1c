"""A viewer as a process: reads a JSON object a line, answers with one. See `links.FarViewer`."""

import asyncio
import json
import sys
from typing import Any

from picam_webrtc_test.streaming.fakes import RealViewer


async def obey(viewer: RealViewer, request: dict[str, Any]) -> dict[str, Any]:
    match request["op"]:
        case "offer":
            viewer.connection.addTransceiver("video", direction="recvonly")
            await viewer.connection.setLocalDescription(await viewer.connection.createOffer())
            return {"sdp": viewer.connection.localDescription.sdp}
        case "answer":
            await viewer.answered(request["sdp"])
            return {}
        case "count":
            return {"frames": viewer.count}
    raise ValueError(f"unknown request: {request}")


async def main() -> None:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    viewer = RealViewer()
    while line := await requests.readline():
        print(json.dumps(await obey(viewer, json.loads(line))), flush=True)
    await viewer.close()


if __name__ == "__main__":
    asyncio.run(main())

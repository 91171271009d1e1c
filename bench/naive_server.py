"""The textbook WebRTC node, for comparison: the newest image of a topic through plain aiortc, to a plain page."""

import asyncio
import json
import sys
import threading

import av
import numpy as np
import rclpy
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from rclpy.node import Node
from sensor_msgs.msg import Image

PAGE = """<!doctype html><link rel="icon" href="data:,"><video autoplay muted playsinline></video><script>
(async () => {
  const peer = new RTCPeerConnection();
  peer.addTransceiver("video", {direction: "recvonly"});
  peer.ontrack = ({streams: [stream]}) => { document.querySelector("video").srcObject = stream; };
  await peer.setLocalDescription(await peer.createOffer());
  while (peer.iceGatheringState !== "complete")
    await new Promise((done) => { peer.onicegatheringstatechange = done; });
  const response = await fetch("/offer", {method: "POST", body: JSON.stringify(peer.localDescription)});
  await peer.setRemoteDescription(await response.json());
})();
</script>"""


class NaiveNode(Node):
    def __init__(self) -> None:
        super().__init__("naive_webrtc")
        self.newest: Image | None = None
        self.create_subscription(Image, "naive_image", self._on_image, 10)

    def _on_image(self, message: Image) -> None:
        self.newest = message


class NaiveTrack(VideoStreamTrack):
    """Its clock is aiortc's own, 30 frames a second."""

    def __init__(self, node: NaiveNode) -> None:
        super().__init__()
        self._node = node

    async def recv(self) -> av.VideoFrame:
        timestamp, time_base = await self.next_timestamp()
        while (message := self._node.newest) is None:  # noqa: ASYNC110 -- as the textbooks do it
            await asyncio.sleep(0.01)
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
        frame.pts, frame.time_base = timestamp, time_base
        return frame


async def serve(node: NaiveNode, port: int) -> None:
    peers: set[RTCPeerConnection] = set()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        description = json.loads(await request.text())
        # No STUN server: it could not be reached from a test machine, and would only delay the start.
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.add(peer)
        peer.addTrack(NaiveTrack(node))
        await peer.setRemoteDescription(RTCSessionDescription(description["sdp"], description["type"]))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"sdp": peer.localDescription.sdp, "type": peer.localDescription.type})

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_post("/offer", offer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"The page is at http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    rclpy.init()
    node = NaiveNode()
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    asyncio.run(serve(node, int(sys.argv[1]) if len(sys.argv) > 1 else 0))


if __name__ == "__main__":
    main()

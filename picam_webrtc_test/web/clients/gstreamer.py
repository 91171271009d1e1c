"""GStreamer's webrtcbin as a WHEP player: prints how many pictures it decoded, as JSON.

Run by the system's Python, which has GStreamer's bindings: gstreamer.py ENDPOINT CODEC PICTURES TIMEOUT_S
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

DECODERS = {"H264": "rtph264depay ! avdec_h264", "VP8": "rtpvp8depay ! vp8dec"}
FORMATS = {"H264": ",packetization-mode=(string)1,profile-level-id=(string)42e01f", "VP8": ""}


class Player:
    def __init__(self, endpoint: str, codec: str, pictures: int) -> None:
        self.endpoint, self.codec, self.wanted = endpoint, codec, pictures
        self.pictures = 0
        self.session = ""
        self.error = ""
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", "max-bundle")
        self.pipeline.add(self.webrtc)
        self.webrtc.connect("pad-added", self.on_pad)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        rtp = f"application/x-rtp,media=video,encoding-name={codec},clock-rate=90000,payload=96"
        caps = Gst.Caps.from_string(rtp + FORMATS[codec])
        self.webrtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)

    def run(self, timeout_s: float) -> None:
        GLib.timeout_add(round(timeout_s * 1000), self.loop.quit)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        if self.session:
            urllib.request.urlopen(urllib.request.Request(self.session, method="DELETE"), timeout=5).close()  # noqa: S310

    def on_offer(self, promise: Gst.Promise, _data: None) -> None:
        reply = promise.get_reply()  # owns the offer: it has to live as long
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, None)

    def on_gathering(self, *_args: object) -> None:
        if self.webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.post_offer)

    def post_offer(self) -> bool:
        sdp = self.webrtc.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp"}
        request = urllib.request.Request(self.endpoint, sdp.encode(), headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                self.session = urllib.parse.urljoin(self.endpoint, response.headers["Location"])
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            self.error = f"{error.code}: {error.read().decode()}"
            self.loop.quit()
            return False
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.webrtc.emit("set-remote-description", answer, None)
        return False

    def on_pad(self, _webrtc: Gst.Element, pad: Gst.Pad) -> None:
        sink = Gst.parse_bin_from_description(
            f"{DECODERS[self.codec]} ! fakesink name=screen signal-handoffs=true", True
        )
        sink.get_by_name("screen").connect("handoff", self.on_picture)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_picture(self, *_args: object) -> None:
        if self.pictures < self.wanted:  # more may come before the loop has ended
            self.pictures += 1
        if self.pictures == self.wanted:
            self.loop.quit()


if __name__ == "__main__":
    Gst.init(None)
    player = Player(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    player.run(float(sys.argv[4]))
    print(json.dumps({"pictures": player.pictures, "error": player.error}))

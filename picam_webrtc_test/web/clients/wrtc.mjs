// The npm package @roamhq/wrtc (libwebrtc) as a WHEP player with trickled candidates: prints how many pictures it
// decoded, as JSON. node wrtc.mjs ENDPOINT TOKEN PICTURES TIMEOUT_S

import { createRequire } from "node:module";

const [endpoint, token, pictures, timeoutSeconds] = process.argv.slice(2);
const require = createRequire(`${process.env.CLIENT_MODULES}/package.json`);
const { RTCPeerConnection, nonstandard } = require("@roamhq/wrtc");
const authorization = token ? { Authorization: `Bearer ${token}` } : {};

const peer = new RTCPeerConnection({ iceServers: [] });
peer.addTransceiver("video", { direction: "recvonly" });

const played = new Promise((resolve) => {
  let count = 0;
  setTimeout(() => resolve(count), Number(timeoutSeconds) * 1000);
  peer.ontrack = ({ track }) => {
    new nonstandard.RTCVideoSink(track).onframe = () => ++count >= Number(pictures) && resolve(count);
  };
});

const candidates = [];
let send = (candidate) => candidates.push(candidate);
peer.onicecandidate = ({ candidate }) => candidate?.candidate && send(candidate);
const offer = await peer.createOffer();
await peer.setLocalDescription(offer);
const response = await fetch(endpoint, {
  method: "POST",
  headers: { "Content-Type": "application/sdp", ...authorization },
  body: offer.sdp, // without candidates: they follow by PATCH
});
if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
const session = new URL(response.headers.get("Location"), endpoint);
await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });

const statuses = [];
send = async ({ candidate }) => {
  const [ufrag, pwd] = ["ufrag", "pwd"].map((name) => offer.sdp.match(`a=ice-${name}:(.*)\r\n`)[1]);
  const media = "m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
  const patched = await fetch(session, {
    method: "PATCH",
    headers: {
      "Content-Type": "application/trickle-ice-sdpfrag",
      "If-Match": response.headers.get("ETag"),
      ...authorization,
    },
    body: `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\n${media}a=${candidate}\r\n`,
  });
  statuses.push(patched.status);
};
await Promise.all(candidates.map(send));

const count = await played;
const deleted = await fetch(session, { method: "DELETE", headers: authorization });
console.log(JSON.stringify({ pictures: count, patched: [...new Set(statuses)], deleted: deleted.status }));
process.exit(0);

/**
 * What comes beside the pictures: the data channel `metadata`, JSON both ways, described in
 * picam_webrtc/streaming/metadata.py. Messages and pictures travel apart; they are put together here: a picture and
 * its `frame` message by the RTP timestamp, that and `detections` by the stamp, the time of capture.
 */

import { RobotClock } from "./clock.js";

/** Messages of this many pictures are kept: a few seconds, far more than a jitter buffer holds. */
const KEPT = 120;
const PING_INTERVAL_MS = 2000;
/** A quick first estimate: several pings at once, of which the quickest counts. */
const FIRST_PINGS_MS = [0, 50, 100, 200, 400, 800];

/**
 * @typedef {object} Detection
 * @property {number} id class number
 * @property {string} label
 * @property {number} score 0 to 1
 * @property {[number, number, number, number]} box x0, y0, x1, y1
 *
 * @typedef {object} Detections what was found in the picture of that stamp
 * @property {number} stamp_us
 * @property {number} width of the picture whose pixels the boxes are in
 * @property {number} height
 * @property {number} inference_us 0 where unknown
 * @property {boolean} drawn the picture shows them already
 * @property {Detection[]} items
 *
 * @typedef {object} FrameInfo
 * @property {number} rtp RTP timestamp
 * @property {number} stamp_us time of capture
 * @property {number} received_us arrival at the WebRTC node
 * @property {number} encoded_us end of encoding
 * @property {string} rendition such as "h264/full"
 */

export class Metadata {
  clock = new RobotClock();
  /** By RTP timestamp. @type {Map<number, FrameInfo>} */
  #frames = new Map();
  /** By stamp. @type {Map<number, Detections>} */
  #detections = new Map();
  #timers = [];
  #onNews;

  /** @param {() => void} onNews something has come that may concern the picture on the screen */
  constructor(onNews) {
    this.#onNews = onNews;
  }

  /** @param {RTCDataChannel} channel an open one; takes the place of the one before */
  listen(channel) {
    this.close();
    channel.onmessage = ({ data }) => this.#receive(data);
    const ping = () => channel.readyState === "open" && channel.send(pingAt(performance.now()));
    this.#timers = [...FIRST_PINGS_MS.map((delay) => setTimeout(ping, delay)), setInterval(ping, PING_INTERVAL_MS)];
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer); // ends intervals too
    this.#timers = [];
    this.#frames.clear();
    this.#detections.clear();
    this.clock.reset();
  }

  /**
   * @param {number | undefined} rtpTimestamp of a picture, from requestVideoFrameCallback
   * @returns {FrameInfo | undefined}
   */
  frame(rtpTimestamp) {
    return this.#frames.get(rtpTimestamp);
  }

  /**
   * @param {FrameInfo} info of a picture
   * @returns {Detections | undefined} what was found in it, else what was found last before it
   */
  detections({ stamp_us: stampUs }) {
    const exact = this.#detections.get(stampUs);
    if (exact) return exact;
    let newest = undefined;
    for (const found of this.#detections.values())
      if (found.stamp_us < stampUs && found.stamp_us > (newest?.stamp_us ?? 0)) newest = found;
    return newest;
  }

  #receive(text) {
    const arrivedAt = performance.now();
    const message = JSON.parse(text);
    if (message.type === "pong") this.clock.add(message.t0, message.received_us, message.sent_us, arrivedAt);
    else if (message.type === "frame") this.#keep(this.#frames, message.rtp, message);
    else if (message.type === "detections") this.#keep(this.#detections, message.stamp_us, message);
  }

  #keep(map, key, value) {
    map.set(key, value);
    if (map.size > KEPT) map.delete(map.keys().next().value);
    this.#onNews();
  }
}

function pingAt(now) {
  return JSON.stringify({ type: "ping", t0: now });
}

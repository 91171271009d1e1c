/**
 * What comes beside the pictures: the data channel `metadata`, JSON both ways, described in
 * picam_webrtc/streaming/fanout/metadata.py. Messages and pictures travel apart; they are put together here: a
 * picture's RTP timestamp and the `frame` message before it give its stamp, the time of capture, by which `detections`
 * are found.
 */

import { RobotClock } from "./clock.js";

/** This many messages of a kind are kept: seconds, far more than a jitter buffer holds. */
const KEPT = 120;
const US_PER_RTP_TICK = 100 / 9;
/** RTP timestamps are rounded, stamps too. */
const ROUNDING_US = 50;
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
 * @property {string} rendition such as "h264/full"
 * @property {boolean} [test_pattern] it shows the pattern that stands in for a camera
 * @property {number} [received_us] arrival at the WebRTC node, of the pictures that a message was about
 * @property {number} [encoded_us] end of encoding, of those too
 */

/**
 * @param {Detections | undefined} found
 * @param {FrameInfo} info of a picture
 * @returns {boolean} whether it was found in that very picture
 */
export function isOf(found, info) {
  return found !== undefined && Math.abs(found.stamp_us - info.stamp_us) <= ROUNDING_US;
}

export class Metadata {
  clock = new RobotClock();
  /** @type {FrameInfo[]} */
  #frames = [];
  /** @type {Detections[]} */
  #detections = [];
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
    this.#frames = [];
    this.#detections = [];
    this.clock.reset();
  }

  /**
   * @param {number | undefined} rtpTimestamp of a picture, from requestVideoFrameCallback
   * @returns {FrameInfo | undefined}
   */
  frame(rtpTimestamp) {
    if (rtpTimestamp === undefined || !this.#frames.length) return undefined;
    const before = this.#frames.findLast(({ rtp }) => ticks(rtp, rtpTimestamp) >= 0) ?? this.#frames[0];
    const { rtp, stamp_us: stampUs, rendition, test_pattern } = before;
    if (rtp === rtpTimestamp) return before;
    return { rtp: rtpTimestamp, stamp_us: stampUs + ticks(rtp, rtpTimestamp) * US_PER_RTP_TICK, rendition, test_pattern };
  }

  /**
   * @param {FrameInfo} info of a picture
   * @returns {Detections | undefined} what was found in it, else what was found last before it
   */
  detections({ stamp_us: stampUs }) {
    let newest = undefined;
    for (const found of this.#detections)
      if (found.stamp_us <= stampUs + ROUNDING_US && found.stamp_us > (newest?.stamp_us ?? 0)) newest = found;
    return newest;
  }

  #receive(text) {
    const arrivedAt = performance.now();
    const message = JSON.parse(text);
    if (message.type === "pong") this.clock.add(message.t0, message.received_us, message.sent_us, arrivedAt);
    else if (message.type === "frame") this.#keep(this.#frames, message);
    else if (message.type === "detections") this.#keep(this.#detections, message);
  }

  #keep(messages, message) {
    messages.push(message);
    if (messages.length > KEPT) messages.shift();
    this.#onNews();
  }
}

/** From one RTP timestamp to another: 32 bits that begin again at 0. */
function ticks(from, to) {
  return (to - from) | 0;
}

function pingAt(now) {
  return JSON.stringify({ type: "ping", t0: now });
}

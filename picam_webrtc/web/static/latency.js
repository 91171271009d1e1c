/** How old the picture on the screen is, and where the time went. */

import { isOf } from "./metadata.js";

/** Figures are about the pictures of this many milliseconds. */
const WINDOW_MS = 5000;
const LARGEST_MS = 60_000;

/** The stages of a picture's way, in order, and what a person calls them. */
export const STAGES = Object.freeze({
  topic: "camera and topics",
  inference: "inference",
  encode: "encode",
  network: "network and jitter buffer",
  decode: "decode",
  display: "on to the screen",
});

/**
 * @typedef {object} LatencySummary
 * @property {number} p50 capture to shown [ms]
 * @property {number} p95
 * @property {number} uncertainty of both, from the clocks' offset [ms]
 * @property {Record<string, number>} stages median of each stage that can be told apart [ms]
 */

export class LatencyMeter {
  /** @type {{shownAt: number, total: number, stages: Record<string, number>}[]} */
  #frames = [];

  /**
   * @param {object} metadata what requestVideoFrameCallback says about the picture
   * @param {import("./metadata.js").FrameInfo} info what the robot says about it
   * @param {import("./metadata.js").Detections | undefined} found what was found in it, or in one before it
   * @param {import("./clock.js").RobotClock} clock
   */
  add(metadata, info, found, clock) {
    if (!clock.isKnown) return;
    // What is due on the next screen refresh is not shown before it.
    const shownAt = Math.max(metadata.expectedDisplayTime, metadata.presentationTime);
    const total = shownAt - clock.toLocal(info.stamp_us);
    // Stamps of a simulation or a recording are of another time: nothing can be said.
    if (Math.abs(total) > LARGEST_MS) return;
    // Boxes of another picture say nothing about this one's way: it did not wait for them.
    const inferenceUs = isOf(found, info) ? found.inference_us : 0;
    const stages = { ...robotStages(info, inferenceUs), ...ourStages(metadata, info, clock, shownAt) };
    this.#frames.push({ shownAt, total, stages });
    while (this.#frames[0].shownAt < shownAt - WINDOW_MS) this.#frames.shift();
  }

  reset() {
    this.#frames = [];
  }

  /** @returns {LatencySummary | null} null while nothing is known */
  summary(clock) {
    if (!this.#frames.length || !clock.isKnown) return null;
    const totals = this.#frames.map(({ total }) => total);
    const stages = {};
    for (const name of Object.keys(STAGES)) {
      const values = this.#frames.map((frame) => frame.stages[name]).filter(Number.isFinite);
      if (values.length) stages[name] = percentile(values, 50);
    }
    return {
      p50: percentile(totals, 50),
      p95: percentile(totals, 95),
      uncertainty: clock.uncertaintyMs(),
      stages,
    };
  }
}

function robotStages({ stamp_us: stampUs, received_us: receivedUs, encoded_us: encodedUs }, inferenceUs) {
  return {
    topic: (receivedUs - stampUs - inferenceUs) / 1000,
    inference: inferenceUs ? inferenceUs / 1000 : NaN,
    encode: (encodedUs - receivedUs) / 1000,
  };
}

function ourStages({ presentationTime, processingDuration }, { encoded_us: encodedUs }, clock, shownAt) {
  const decode = (processingDuration ?? NaN) * 1000;
  const decoded = Number.isFinite(decode) ? decode : 0;
  return {
    network: presentationTime - decoded - clock.toLocal(encodedUs),
    decode,
    display: shownAt - presentationTime,
  };
}

/** The nearest-rank percentile of some numbers. */
export function percentile(values, percent) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

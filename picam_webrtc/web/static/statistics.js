/** Once a second: what the browser knows about a connection, as figures with units. */

/**
 * @typedef {object} Figure
 * @property {string} label
 * @property {string} unit
 * @property {number} digits after the decimal point
 */

/** @type {Readonly<Record<string, Figure>>} */
export const FIGURES = Object.freeze({
  fps: { label: "Frame rate", unit: "fps", digits: 0 },
  bitrate: { label: "Bitrate", unit: "Mbit/s", digits: 2 },
  latency: { label: "Latency, median", unit: "ms", digits: 0 },
  loss: { label: "Packets lost", unit: "%", digits: 1 },
  rtt: { label: "Round trip", unit: "ms", digits: 1 },
  jitterBuffer: { label: "Jitter buffer", unit: "ms", digits: 1 },
  dropped: { label: "Frames dropped", unit: "/s", digits: 0 },
});

/**
 * @typedef {object} Sample
 * @property {Record<string, number>} figures by the names of FIGURES; NaN where unknown
 * @property {string} format such as "1280×720 H264"
 */

/** Differences between two reports of one connection. */
export class StatisticsSampler {
  #peer = null;
  #last = null;

  /**
   * @param {RTCPeerConnection | null} peer
   * @returns {Promise<Sample | null>} null until there are two reports of the same connection
   */
  async sample(peer) {
    if (!peer) return null;
    const report = [...(await peer.getStats()).values()];
    const inbound = report.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    if (!inbound) return null;
    const last = peer === this.#peer ? this.#last : null;
    this.#peer = peer;
    this.#last = inbound;
    if (!last || inbound.timestamp <= last.timestamp) return null;
    return { figures: figuresOf(inbound, last, report), format: formatOf(inbound, report) };
  }
}

function figuresOf(inbound, last, report) {
  const seconds = (inbound.timestamp - last.timestamp) / 1000;
  const gain = (name) => (inbound[name] ?? NaN) - (last[name] ?? NaN);
  const lost = Math.max(0, gain("packetsLost"));
  const pair = report.find(({ type, state, nominated }) => type === "candidate-pair" && state === "succeeded" && nominated);
  return {
    fps: gain("framesDecoded") / seconds,
    bitrate: (gain("bytesReceived") * 8) / seconds / 1e6,
    loss: (lost / Math.max(1, lost + gain("packetsReceived"))) * 100,
    rtt: (pair?.currentRoundTripTime ?? NaN) * 1000,
    jitterBuffer: (gain("jitterBufferDelay") / gain("jitterBufferEmittedCount")) * 1000,
    dropped: gain("framesDropped") / seconds,
  };
}

function formatOf(inbound, report) {
  const codec = report.find(({ id }) => id === inbound.codecId)?.mimeType?.split("/")[1] ?? "";
  return `${inbound.frameWidth ?? "?"}×${inbound.frameHeight ?? "?"} ${codec}`.trim();
}

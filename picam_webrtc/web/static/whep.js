/**
 * A viewer's connection to one stream: WHEP (draft-ietf-wish-whep) with trickled candidates, and the will to come back.
 *
 *   const client = new WhepClient({ url: "/whep/processed", onStream: (stream) => { video.srcObject = stream; } });
 *   client.start();
 *   ...
 *   client.close();
 */

import { candidateFragment, iceServersFromLinks, retryAfterSeconds } from "./sdp.js";

/** What a client is doing. @enum {string} */
export const WhepState = Object.freeze({
  IDLE: "idle",
  CONNECTING: "connecting",
  CONNECTED: "connected",
  /** Not connected; the next attempt follows by itself. */
  WAITING: "waiting",
  /** Not connected, and trying again would change nothing. */
  REFUSED: "refused",
  CLOSED: "closed",
});

/** Why there is no connection. @enum {string} */
export const WhepProblem = Object.freeze({
  NO_SOURCE: "no-source",
  FULL: "full",
  NOT_ALLOWED: "not-allowed",
  UNKNOWN_STREAM: "unknown-stream",
  NO_CODEC: "no-codec",
  NO_WEBRTC: "no-webrtc",
  UNREACHABLE: "unreachable",
  SERVER_ERROR: "server-error",
  NO_PATH: "no-path",
  LOST: "lost",
});

const PROBLEM_OF_STATUS = Object.freeze({
  401: WhepProblem.NOT_ALLOWED,
  403: WhepProblem.NOT_ALLOWED,
  404: WhepProblem.UNKNOWN_STREAM,
  406: WhepProblem.NO_CODEC,
  409: WhepProblem.NO_SOURCE,
  422: WhepProblem.NO_CODEC,
  429: WhepProblem.FULL,
  503: WhepProblem.FULL,
});

/** Trying again cannot help before a person has done something. */
const FINAL_PROBLEMS = new Set([WhepProblem.NOT_ALLOWED, WhepProblem.NO_CODEC, WhepProblem.NO_WEBRTC]);

/** ICE over a working path takes well under a second; a TURN relay may need a few. */
const CONNECT_DEADLINE_S = 10;
/** "disconnected" often heals by itself; the stream is late by then, so no longer than this. */
const DISCONNECTED_GRACE_S = 2;
/** How long an open connection waits for the server to take our leave. */
const CLOSE_PATIENCE_S = 1;
/** Candidates come in bursts: one request carries a burst. */
const TRICKLE_DELAY_S = 0.05;
const FIRST_BACKOFF_S = 0.3;
const USUAL_LONGEST_BACKOFF_S = 2;
/** Where another one than the usual is right. */
const LONGEST_BACKOFF_S = Object.freeze({
  /** A restarted robot should be seen within seconds, and to knock where nobody is costs nobody anything. */
  [WhepProblem.UNREACHABLE]: 1,
  /** A network without a path for video seldom gets one, and every attempt costs the robot a session. */
  [WhepProblem.NO_PATH]: 30,
});

/** Why an attempt failed, in our words (`problem`) and, where it gave any, in the server's (`message`). */
export class WhepError extends Error {
  /**
   * @param {string} problem one of WhepProblem
   * @param {string} [message]
   * @param {number} [retryAfter] seconds that the server asks us to wait
   */
  constructor(problem, message = "", retryAfter = undefined) {
    super(message);
    this.name = "WhepError";
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  get isFinal() {
    return FINAL_PROBLEMS.has(this.problem);
  }
}

/**
 * @typedef {object} WhepConfig
 * @property {string | URL} url the stream's endpoint
 * @property {string} [token] sent as a Bearer token; not needed where a cookie lets us in
 * @property {RTCIceServer[]} [iceServers] in addition to those the server names
 * @property {boolean} [metadata] ask for the data channel `metadata` too
 * @property {(stream: MediaStream, peer: RTCPeerConnection) => void} [onStream] media is on its way
 * @property {(channel: RTCDataChannel) => void} [onMetadata] the data channel is open
 * @property {(state: string, error?: WhepError, retryIn?: number) => void} [onState] `retryIn` in seconds
 */

export class WhepClient {
  #config;
  #state = WhepState.IDLE;
  #peer = null;
  #session = null;
  #cancel = null;
  #endSession = () => this.#endOwnSession();
  #comeBack = (event) => event.persisted && this.reconnect();

  /** @param {WhepConfig} config */
  constructor(config) {
    this.#config = config;
  }

  /** @returns {string} one of WhepState */
  get state() {
    return this.#state;
  }

  /** @returns {RTCPeerConnection | null} for statistics; another one after each reconnection */
  get peer() {
    return this.#peer;
  }

  /** Connect, and stay connected until `close`. */
  start() {
    if (this.#cancel) return;
    this.#cancel = new AbortController();
    addEventListener("pagehide", this.#endSession);
    addEventListener("pageshow", this.#comeBack);
    this.#run(this.#cancel.signal);
  }

  /** Leave the session, if any, and begin anew without waiting. */
  reconnect() {
    this.#stop();
    this.start();
  }

  /** End the session. The client can be started again. */
  close() {
    this.#stop();
    removeEventListener("pageshow", this.#comeBack);
    this.#enter(WhepState.CLOSED);
  }

  /**
   * Whether the server still knows our session: a quicker sign of a restarted server than ICE's timeouts.
   *
   * @returns {Promise<boolean>}
   */
  async isAlive() {
    const session = this.#session;
    if (!session) return false;
    try {
      const response = await fetch(session.url, { headers: this.#headers(), signal: AbortSignal.timeout(2000) });
      return response.ok || response.status === 429;
    } catch {
      return false;
    }
  }

  #stop() {
    this.#cancel?.abort();
    this.#cancel = null;
    removeEventListener("pagehide", this.#endSession);
    this.#release();
  }

  async #run(signal) {
    let failures = 0;
    while (!signal.aborted) {
      const error = await this.#connectUntilLost(signal, () => (failures = 0));
      if (signal.aborted) return;
      this.#release();
      if (error.isFinal) {
        this.#enter(WhepState.REFUSED, error);
        return;
      }
      const pause = error.retryAfter ?? backoffSeconds(failures++, error.problem);
      this.#enter(WhepState.WAITING, error, pause);
      await sleep(pause, signal);
    }
  }

  /** @returns {Promise<WhepError>} what ended the attempt or, later, the connection */
  async #connectUntilLost(signal, onConnected) {
    this.#enter(WhepState.CONNECTING);
    try {
      const peer = await this.#connect(signal);
      onConnected();
      this.#enter(WhepState.CONNECTED);
      await untilState(peer, ["failed", "closed"], signal, DISCONNECTED_GRACE_S);
      return new WhepError(WhepProblem.LOST);
    } catch (error) {
      return error instanceof WhepError ? error : new WhepError(WhepProblem.SERVER_ERROR, String(error));
    }
  }

  async #connect(signal) {
    if (typeof RTCPeerConnection === "undefined") throw new WhepError(WhepProblem.NO_WEBRTC);
    const peer = this.#openPeer();
    const trickle = this.#trickle(peer, signal);
    const offer = await peer.createOffer();
    const { answer, iceServers } = await this.#post(offer.sdp, signal);
    // Gathering starts with setLocalDescription: only now, when the server's STUN and TURN servers are known.
    // All of it again, because what is left out would change back to its default, which some of it must not.
    const configuration = peer.getConfiguration();
    configuration.iceServers = [...(this.#config.iceServers ?? []), ...iceServers];
    if (iceServers.length) peer.setConfiguration(configuration);
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    trickle();
    await Promise.race([
      untilState(peer, ["connected"], signal),
      sleep(CONNECT_DEADLINE_S, signal).then(() => {
        throw new WhepError(WhepProblem.NO_PATH);
      }),
      untilState(peer, ["failed"], signal).then(() => {
        throw new WhepError(WhepProblem.NO_PATH);
      }),
    ]);
    return peer;
  }

  #openPeer() {
    const { iceServers = [], metadata, onStream, onMetadata } = this.#config;
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track, streams }) => onStream?.(streams[0] ?? new MediaStream([track]), peer);
    if (metadata) {
      // What belongs to a picture is worthless after it: never wait for, or repeat, a lost message.
      const channel = peer.createDataChannel("metadata", { ordered: false, maxRetransmits: 0 });
      channel.onopen = () => onMetadata?.(channel);
    }
    return peer;
  }

  async #post(sdp, signal) {
    const response = await this.#fetchOffer(sdp, signal);
    if (!response.ok) throw await errorOf(response);
    const { headers } = response;
    const session = { url: new URL(headers.get("Location"), response.url), etag: headers.get("ETag") };
    if (signal.aborted) {
      this.#delete(session);
      signal.throwIfAborted();
    }
    this.#session = session;
    return { answer: await response.text(), iceServers: iceServersFromLinks(headers.get("Link")) };
  }

  async #fetchOffer(sdp, signal) {
    // Not given the signal: an answered offer must be seen, or nobody would ever end its session.
    signal.throwIfAborted();
    try {
      return await fetch(this.#config.url, {
        method: "POST",
        headers: this.#headers({ "Content-Type": "application/sdp" }),
        body: sdp,
      });
    } catch (error) {
      throw new WhepError(WhepProblem.UNREACHABLE, String(error));
    }
  }

  /** Collect `peer`'s candidates; the returned function, called once the session exists, lets them flow. */
  #trickle(peer, signal) {
    let waiting = [];
    let flowing = false;
    let timer = 0;
    const flush = () => {
      if (!flowing || !waiting.length || signal.aborted) return;
      const candidates = waiting;
      waiting = [];
      this.#patch(candidateFragment(peer.localDescription.sdp, candidates), signal);
    };
    peer.onicecandidate = ({ candidate }) => {
      waiting.push(candidate?.candidate ? candidate : null);
      clearTimeout(timer);
      timer = setTimeout(flush, TRICKLE_DELAY_S * 1000);
    };
    return () => {
      flowing = true;
      flush();
    };
  }

  async #patch(fragment, signal) {
    const session = this.#session;
    if (!session?.etag) return;
    try {
      await fetch(session.url, {
        method: "PATCH",
        headers: this.#headers({ "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": session.etag }),
        body: fragment,
        signal,
      });
    } catch {
      // The candidates in the answer usually suffice; if they do not, the connect deadline tells.
    }
  }

  async #endOwnSession() {
    const session = this.#session;
    this.#session = null;
    if (session) await this.#delete(session);
  }

  async #delete(session) {
    // keepalive lets the request outlive the page. Where it fails, the server reaps the session by itself.
    await fetch(session.url, { method: "DELETE", headers: this.#headers(), keepalive: true }).catch(() => {});
  }

  #release() {
    const peer = this.#peer;
    this.#peer = null;
    if (!peer) return;
    // Only then: a server that sees the connection close ends the session by itself, and knows it no longer.
    const patience = new Promise((resolve) => setTimeout(resolve, CLOSE_PATIENCE_S * 1000));
    Promise.race([this.#endOwnSession(), patience]).then(() => peer.close());
  }

  #headers(headers = {}) {
    return this.#config.token ? { ...headers, Authorization: `Bearer ${this.#config.token}` } : headers;
  }

  #enter(state, error = undefined, retryIn = undefined) {
    this.#state = state;
    this.#config.onState?.(state, error, retryIn);
  }
}

function backoffSeconds(failures, problem) {
  return Math.min(FIRST_BACKOFF_S * 2 ** failures, LONGEST_BACKOFF_S[problem] ?? USUAL_LONGEST_BACKOFF_S);
}

async function errorOf(response) {
  const problem = PROBLEM_OF_STATUS[response.status] ?? WhepProblem.SERVER_ERROR;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const detail = isJson ? await response.json().catch(() => ({})) : {};
  const retryAfter = retryAfterSeconds(response.headers.get("Retry-After"));
  return new WhepError(problem, detail.detail ?? detail.title ?? `HTTP status ${response.status}`, retryAfter);
}

/** Resolves when `peer` is in one of `states`, or has been "disconnected" for `graceSeconds`; rejects on abort. */
function untilState(peer, states, signal, graceSeconds = Infinity) {
  return new Promise((resolve, reject) => {
    let timer = 0;
    const done = (settle, value) => {
      clearTimeout(timer);
      peer.removeEventListener("connectionstatechange", check);
      settle(value);
    };
    const check = () => {
      clearTimeout(timer);
      if (states.includes(peer.connectionState)) done(resolve);
      else if (peer.connectionState === "disconnected" && Number.isFinite(graceSeconds))
        timer = setTimeout(done, graceSeconds * 1000, resolve);
    };
    peer.addEventListener("connectionstatechange", check);
    signal.addEventListener("abort", () => done(reject, signal.reason), { once: true });
    check();
  });
}

/** Resolves after `seconds`, or as soon as `signal` aborts. */
function sleep(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

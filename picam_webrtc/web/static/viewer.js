/**
 * One live stream in one element: a module that any page can use by itself.
 *
 *   <div id="front"></div>
 *   <script type="module">
 *     import { Viewer } from "http://robot:8080/viewer.js";
 *     const viewer = new Viewer(document.getElementById("front"), { stream: "processed" });
 *     viewer.addEventListener("state", (event) => console.log(event.detail.words));
 *     viewer.start();
 *   </script>
 *
 * The element needs a size; the picture fits itself into it. The viewer reconnects for ever, says in words what is
 * wrong, and marks an old picture as old. It needs no stylesheet; these classes may be styled: `picam-video`,
 * `picam-words`, and the element's own `data-state`, one of ViewerState.
 *
 * Events, each a CustomEvent: `state` ({state, words, problem, message}) and `frame` (what requestVideoFrameCallback
 * tells about the picture that is being shown).
 */

import { onEachFrame } from "./frames.js";
import { WhepClient, WhepState } from "./whep.js";
import { ViewerState, durationWords, wordsFor } from "./words.js";

export { ViewerState };

/** A picture older than this is no longer live. */
const STALE_AFTER_S = 1;
const WATCH_INTERVAL_S = 0.25;
/** How often a silent server is asked whether it still knows us. */
const PROBE_INTERVAL_S = 1;

const STATE_OF_CLIENT = Object.freeze({
  [WhepState.IDLE]: ViewerState.IDLE,
  [WhepState.CONNECTING]: ViewerState.CONNECTING,
  [WhepState.CONNECTED]: ViewerState.CONNECTING, // live with the first frame
  [WhepState.WAITING]: ViewerState.WAITING,
  [WhepState.REFUSED]: ViewerState.REFUSED,
  [WhepState.CLOSED]: ViewerState.CLOSED,
});

/**
 * @typedef {object} ViewerConfig
 * @property {string} [stream] name of the stream; the server's first one by default
 * @property {string | URL} [server] where the server's pages begin; where this module came from by default
 * @property {string} [token] for a server that does not know this browser by its cookie
 * @property {boolean} [smooth] let the browser delay pictures for an even pace; false shows each as soon as it can
 */

export class Viewer extends EventTarget {
  #container;
  #config;
  #video = document.createElement("video");
  #words = document.createElement("p");
  #said = document.createElement("p");
  #client;
  #state = ViewerState.IDLE;
  #error = undefined;
  #lastFrameAt = 0;
  #lastProbeAt = 0;
  #stopFrames = null;
  #watch = 0;

  /**
   * @param {HTMLElement} container
   * @param {ViewerConfig} [config]
   */
  constructor(container, config = {}) {
    super();
    this.#container = container;
    this.#config = { server: new URL(".", import.meta.url), smooth: false, ...config };
    this.#client = new WhepClient({
      url: this.#endpoint("whep"),
      token: config.token,
      onStream: (stream, peer) => this.#play(stream, peer),
      onState: (state, error) => this.#enter(STATE_OF_CLIENT[state], error),
    });
    this.#build();
  }

  /** @returns {string} one of ViewerState */
  get state() {
    return this.#state;
  }

  /** @returns {HTMLVideoElement} */
  get video() {
    return this.#video;
  }

  /** @returns {RTCPeerConnection | null} */
  get peer() {
    return this.#client.peer;
  }

  start() {
    if (this.#watch) return;
    this.#stopFrames = onEachFrame(this.#video, (metadata) => this.#onFrame(metadata));
    this.#watch = setInterval(() => this.#watchFrames(), WATCH_INTERVAL_S * 1000);
    this.#client.start();
  }

  /** Leave the stream and the element empty. */
  close() {
    clearInterval(this.#watch);
    this.#watch = 0;
    this.#stopFrames?.();
    this.#client.close();
    this.#video.srcObject = null;
    this.#container.replaceChildren();
    delete this.#container.dataset.state;
  }

  #endpoint(kind) {
    const { server, stream } = this.#config;
    return new URL(stream === undefined ? kind : `${kind}/${encodeURIComponent(stream)}`, server);
  }

  #build() {
    Object.assign(this.#video, { muted: true, autoplay: true, playsInline: true, className: "picam-video" });
    this.#video.setAttribute("aria-label", `Live video${this.#config.stream ? ` of ${this.#config.stream}` : ""}`);
    Object.assign(this.#video.style, { width: "100%", height: "100%", objectFit: "contain", display: "block" });
    // Two texts: the visible one counts seconds, the spoken one only says what changed.
    Object.assign(this.#words, { className: "picam-words", ariaHidden: "true" });
    Object.assign(this.#said.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", margin: 0 });
    this.#said.setAttribute("role", "status");
    this.#container.replaceChildren(this.#video, this.#words, this.#said);
  }

  #play(stream, peer) {
    this.#lastFrameAt = performance.now();
    for (const receiver of peer.getReceivers()) setPlayout(receiver, this.#config.smooth);
    this.#video.srcObject = stream;
    // Autoplay of muted video may still be refused (low-power mode); the first click plays then.
    this.#video.play().catch(() => addEventListener("click", () => this.#video.play(), { once: true }));
  }

  #onFrame(metadata) {
    this.#lastFrameAt = performance.now();
    if (this.#client.state === WhepState.CONNECTED) this.#enter(ViewerState.LIVE);
    this.dispatchEvent(new CustomEvent("frame", { detail: metadata }));
  }

  #watchFrames() {
    // A hidden page presents nothing, which says nothing about the stream.
    if (document.hidden) this.#lastFrameAt = performance.now();
    const age = (performance.now() - this.#lastFrameAt) / 1000;
    if (this.#client.state !== WhepState.CONNECTED || age < STALE_AFTER_S) return;
    this.#enter(ViewerState.STALE);
    this.#show(`${wordsFor(ViewerState.STALE)} ${durationWords(age)}`);
    this.#probe();
  }

  async #probe() {
    const now = performance.now();
    if (now - this.#lastProbeAt < PROBE_INTERVAL_S * 1000) return;
    this.#lastProbeAt = now;
    const alive = await this.#client.isAlive();
    if (!alive && this.#state === ViewerState.STALE) this.#client.reconnect();
  }

  #enter(state, error = undefined) {
    if (state === this.#state && error?.problem === this.#error?.problem) return;
    this.#state = state;
    this.#error = error;
    const words = wordsFor(state, error?.problem);
    this.#container.dataset.state = state;
    this.#said.textContent = words;
    this.#show(words);
    const detail = { state, words, problem: error?.problem, message: error?.message };
    this.dispatchEvent(new CustomEvent("state", { detail }));
  }

  #show(words) {
    if (this.#words.textContent !== words) this.#words.textContent = words;
  }
}

/** Lowest latency, or the browser's own smoothing (W3C WebRTC Extensions: jitterBufferTarget). */
function setPlayout(receiver, smooth) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = smooth ? null : 0;
  else if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = smooth ? null : 0;
}

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
 * wrong, marks an old picture as old, draws detections on exactly the picture they were found in, and falls back to
 * plain images (MJPEG) where WebRTC does not get through. It needs no stylesheet; these classes may be styled:
 * `picam-video`, `picam-words`, `picam-age`, and the element's own `data-state`, one of ViewerState.
 *
 * Events, each a CustomEvent:
 *   state    {state, words, problem, message}
 *   frame    {metadata, info, boxes}: what requestVideoFrameCallback tells about the picture that is being shown, what
 *            the robot tells about it (see metadata.js; undefined where unknown), and what is drawn on it (see boxes.js)
 *   classes  {labels, drawn}: every class of objects seen so far; whether the robot has drawn the boxes already
 */

import { Boxes } from "./boxes.js";
import { onEachFrame, pictureOf } from "./frames.js";
import { LatencyMeter } from "./latency.js";
import { Metadata, isOf } from "./metadata.js";
import { MjpegPlayer } from "./mjpeg.js";
import { snapshot } from "./recorder.js";
import { WhepClient, WhepProblem, WhepState } from "./whep.js";
import { ViewerState, durationWords, wordsFor } from "./words.js";

export { ViewerState };

/** A picture older than this is no longer live. */
const STALE_AFTER_S = 1;
const WATCH_INTERVAL_S = 0.25;
/** How often a silent server is asked whether it still knows us. */
const PROBE_INTERVAL_S = 1;
/** A working path connects in well under a second; plain images fill in for a slower one. */
const FALL_BACK_AFTER_S = 4;
const FALL_BACK_PROBLEMS = new Set([WhepProblem.NO_PATH, WhepProblem.NO_CODEC, WhepProblem.NO_WEBRTC]);

/** How long a snapshot waits for a picture with boxes of its own; on a stream without it takes older ones, or none. */
const SNAPSHOT_PATIENCE_S = 0.3;

const STATE_OF_CLIENT = Object.freeze({
  [WhepState.IDLE]: ViewerState.IDLE,
  [WhepState.CONNECTING]: ViewerState.CONNECTING,
  [WhepState.CONNECTED]: ViewerState.CONNECTING, // live with the first frame
  [WhepState.WAITING]: ViewerState.WAITING,
  [WhepState.REFUSED]: ViewerState.REFUSED,
  [WhepState.CLOSED]: ViewerState.CLOSED,
});

const FILL = Object.freeze({ width: "100%", height: "100%", objectFit: "contain", display: "block" });
const SPOKEN_ONLY = Object.freeze({ position: "absolute", width: "1px", height: "1px", overflow: "hidden", margin: 0 });

/**
 * @typedef {object} ViewerConfig
 * @property {string} [stream] name of the stream; the server's first one by default
 * @property {string | URL} [server] where the server's pages begin; where this module came from by default
 * @property {string} [token] for a server that does not know this browser by its cookie
 * @property {boolean} [smooth] let the browser delay pictures for an even pace; false shows each as soon as it can
 * @property {boolean} [boxes] draw detections; true by default
 */

export class Viewer extends EventTarget {
  #container;
  #config;
  #video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
  #words = Object.assign(document.createElement("p"), { className: "picam-words", ariaHidden: "true" });
  #age = Object.assign(document.createElement("p"), { className: "picam-age", hidden: true });
  #said = document.createElement("p");
  #boxes = new Boxes();
  #latency = new LatencyMeter();
  #metadata = new Metadata(() => this.#onNews());
  #client;
  #mjpeg;
  #state = ViewerState.IDLE;
  #error = undefined;
  /** What is known of the picture on the screen. */
  #presented = null;
  #info = undefined;
  #boxesAreExact = false;
  #isTestPattern = false;
  #lastFrameAt = 0;
  #lastProbeAt = 0;
  #connectingSince = Infinity;
  #stopFrames = null;
  #watch = 0;

  /**
   * @param {HTMLElement} container
   * @param {ViewerConfig} [config]
   */
  constructor(container, config = {}) {
    super();
    this.#container = container;
    this.#config = { server: new URL(".", import.meta.url), smooth: false, boxes: true, ...config };
    this.#boxes.enabled = this.#config.boxes;
    this.#client = new WhepClient({
      url: this.#endpoint("whep"),
      token: config.token,
      metadata: true,
      onStream: (stream) => this.#play(stream),
      onMetadata: (channel) => this.#metadata.listen(channel),
      onState: (state, error) => this.#onClient(state, error),
    });
    const headers = config.token ? { Authorization: `Bearer ${config.token}` } : {};
    this.#mjpeg = new MjpegPlayer(this.#endpoint("mjpeg"), headers, () => this.#onPlainPicture());
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

  /** @returns {RTCPeerConnection | null} for statistics */
  get peer() {
    return this.#client.peer;
  }

  /** What is drawn, and the class filter: `boxes.hidden` is a Set of labels. @returns {Boxes} */
  get boxes() {
    return this.#boxes;
  }

  /** @returns {import("./latency.js").LatencySummary | null} null while unknown */
  get latency() {
    return this.#latency.summary(this.#metadata.clock);
  }

  /** @returns {string} which encoding of the stream this viewer gets, such as "h264/full" */
  get rendition() {
    return this.#info?.rendition ?? "";
  }

  get smooth() {
    return this.#config.smooth;
  }

  set smooth(smooth) {
    this.#config.smooth = smooth;
    for (const receiver of this.peer?.getReceivers() ?? []) setPlayout(receiver, smooth);
  }

  start() {
    if (this.#watch) return;
    this.#stopFrames = onEachFrame(this.#video, (metadata) => this.#onFrame(metadata));
    this.#watch = setInterval(() => this.#watchFrames(), WATCH_INTERVAL_S * 1000);
    this.#client.start();
  }

  /** Leave the stream, and leave the element empty. */
  close() {
    clearInterval(this.#watch);
    this.#watch = 0;
    this.#stopFrames?.();
    this.#client.close();
    this.#mjpeg.stop();
    this.#metadata.close();
    this.#boxes.close();
    this.#video.srcObject = null;
    this.#container.replaceChildren();
    delete this.#container.dataset.state;
  }

  /** @param {{boxes?: boolean}} [options] @returns {Promise<Blob>} PNG of the picture shown, at its own size */
  async snapshot({ boxes = false } = {}) {
    if (this.#state === ViewerState.FALLBACK) return snapshot(this.#mjpeg.canvas);
    if (!boxes || this.#state !== ViewerState.LIVE) return snapshot(this.#video);
    return this.#snapshotWithBoxes();
  }

  /** Taken while a picture is being presented, the only moment when it is known which one a canvas gets. */
  #snapshotWithBoxes() {
    return new Promise((resolve) => {
      const take = (picture, boxes) => {
        clearTimeout(patience);
        this.removeEventListener("frame", onFrame);
        resolve(snapshot(picture, boxes ?? undefined));
      };
      const onFrame = ({ detail }) => {
        const picture = pictureOf(this.#video, detail.metadata);
        if (picture !== null && detail.boxes?.ageMs === 0) take(picture, detail.boxes);
        picture?.close?.();
      };
      // Nothing is found in some pictures, and none at all may come any more.
      const patience = setTimeout(() => take(this.#video, this.#boxes.shown), SNAPSHOT_PATIENCE_S * 1000);
      this.addEventListener("frame", onFrame);
    });
  }

  #endpoint(kind) {
    const { server, stream } = this.#config;
    return new URL(stream === undefined ? kind : `${kind}/${encodeURIComponent(stream)}`, server);
  }

  #build() {
    Object.assign(this.#video.style, FILL);
    Object.assign(this.#mjpeg.canvas.style, FILL);
    Object.assign(this.#said.style, SPOKEN_ONLY);
    this.#video.className = this.#mjpeg.canvas.className = "picam-video";
    this.#video.ariaLabel = `Live video${this.#config.stream ? ` of ${this.#config.stream}` : ""}`;
    // Two texts: the visible one counts seconds, the spoken one only says what changed.
    this.#said.setAttribute("role", "status");
    this.#container.replaceChildren(this.#video, this.#boxes.canvas, this.#age, this.#words, this.#said);
  }

  #play(stream) {
    this.#presented = null;
    this.#latency.reset();
    this.#lastFrameAt = performance.now();
    this.smooth = this.#config.smooth;
    this.#video.srcObject = stream;
    // Autoplay of muted video may still be refused (low-power mode); the first click plays then.
    this.#video.play().catch(() => addEventListener("click", () => this.#video.play(), { once: true }));
  }

  #onFrame(metadata) {
    this.#lastFrameAt = performance.now();
    this.#presented = metadata;
    if (this.#client.state === WhepState.CONNECTED) this.#enter(ViewerState.LIVE);
    this.#info = undefined;
    this.#boxesAreExact = false;
    this.#onNews();
    if (!this.#info) this.#boxes.clear();
    const detail = { metadata, info: this.#info, boxes: this.#boxes.shown };
    this.dispatchEvent(new CustomEvent("frame", { detail }));
  }

  /** A picture came, or a message that may be about the picture on the screen. */
  #onNews() {
    const info = this.#metadata.frame(this.#presented?.rtpTimestamp);
    if (!info || this.#boxesAreExact) return;
    const found = this.#metadata.detections(info);
    if (!this.#info) this.#latency.add(this.#presented, info, found, this.#metadata.clock);
    this.#info = info;
    this.#noteTestPattern(info.test_pattern === true);
    this.#boxesAreExact = isOf(found, info);
    this.#showBoxes(found, found && !this.#boxesAreExact ? (info.stamp_us - found.stamp_us) / 1000 : 0);
  }

  #noteTestPattern(isTestPattern) {
    if (isTestPattern === this.#isTestPattern) return;
    this.#isTestPattern = isTestPattern;
    this.#container.toggleAttribute("data-test-pattern", isTestPattern);
    this.#announce();
  }

  #showBoxes(found, ageMs) {
    const isNews = this.#boxes.show(found, ageMs);
    const isOld = ageMs > 0 && this.#boxes.shown !== null;
    this.#age.hidden = !isOld;
    if (isOld) this.#age.textContent = `boxes ${Math.round(ageMs)} ms old`;
    if (!isNews) return;
    const detail = { labels: [...this.#boxes.classes.keys()], drawn: this.#boxes.drawn };
    this.dispatchEvent(new CustomEvent("classes", { detail }));
  }

  #onClient(state, error) {
    this.#connectingSince = state === WhepState.CONNECTING ? performance.now() : Infinity;
    if (state !== WhepState.CONNECTED) this.#metadata.close();
    if (FALL_BACK_PROBLEMS.has(error?.problem)) this.#mjpeg.start();
    // Attempts in the background are of no interest to who sees a picture.
    if (this.#state === ViewerState.FALLBACK && this.#mjpeg.isRunning && state !== WhepState.CLOSED) return;
    this.#enter(STATE_OF_CLIENT[state], error);
  }

  #onPlainPicture() {
    if (this.#state === ViewerState.LIVE) return;
    this.#lastFrameAt = performance.now();
    if (this.#state !== ViewerState.FALLBACK) this.#video.replaceWith(this.#mjpeg.canvas);
    this.#boxes.clear();
    this.#enter(ViewerState.FALLBACK);
  }

  #watchFrames() {
    const now = performance.now();
    // A hidden page presents nothing, which says nothing about the stream.
    if (document.hidden) this.#lastFrameAt = now;
    if (now - this.#connectingSince > FALL_BACK_AFTER_S * 1000) this.#mjpeg.start();
    const age = (now - this.#lastFrameAt) / 1000;
    if (age < STALE_AFTER_S) return;
    if (this.#client.state === WhepState.CONNECTED) this.#becomeStale(age);
    else if (this.#state === ViewerState.FALLBACK) this.#enter(ViewerState.CONNECTING);
  }

  #becomeStale(age) {
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
    if (state === ViewerState.LIVE) this.#leaveFallback();
    if (state === this.#state && error?.problem === this.#error?.problem) return;
    this.#state = state;
    this.#error = error;
    this.#container.dataset.state = state;
    this.#announce();
  }

  #announce() {
    const { problem, message } = this.#error ?? {};
    const state = this.#state;
    const words = wordsFor(state, problem, this.#isTestPattern);
    this.#said.textContent = words;
    this.#show(words);
    this.dispatchEvent(new CustomEvent("state", { detail: { state, words, problem, message } }));
  }

  #leaveFallback() {
    if (!this.#mjpeg.isRunning) return;
    this.#mjpeg.stop();
    this.#mjpeg.canvas.replaceWith(this.#video);
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
